//! What the operator is told when perchd cannot do what he asked: what failed, where, and what to do next.

use std::fmt;

/// How the program ends (sysexits.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for was tried, and failed: 1.
    Failed,
    /// The command line is wrong: 64.
    Usage,
    /// What was handed in is not good: 65.
    Data,
    /// Nobody is there to do it: 69.
    Unavailable,
    /// A fault of ours: 70.
    Software,
    /// The system refused something that perchd needs, such as a port: 71.
    System,
    /// The system allows too little: 77.
    Permission,
    /// The configuration or the state is wrong: 78.
    Config,
}

impl Exit {
    /// The number that the shell and systemd see.
    pub fn code(self) -> u8 {
        match self {
            Exit::Failed => 1,
            Exit::Usage => 64,
            Exit::Data => 65,
            Exit::Unavailable => 69,
            Exit::Software => 70,
            Exit::System => 71,
            Exit::Permission => 77,
            Exit::Config => 78,
        }
    }

    /// The one with this number; what is none is a fault of ours.
    pub(crate) fn from_code(code: u8) -> Self {
        let all = [Exit::Usage, Exit::Data, Exit::Unavailable, Exit::System, Exit::Permission, Exit::Config];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::Software)
    }
}

/// An error for the operator. It is one word to pass on, as most of what passes it on never sees one.
#[derive(Debug)]
pub struct Error(Box<Told>);

#[derive(Debug)]
struct Told {
    exit: Exit,
    what: String,
    place: Option<String>,
    remedy: Option<String>,
    cause: Option<std::io::Error>,
}

impl Error {
    /// `what` failed; the process should end with `exit`.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Error(Box::new(Told { exit, what: what.into(), place: None, remedy: None, cause: None }))
    }

    /// Where: a file with its line, an option, an address.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.place = Some(place.to_string());
        self
    }

    /// What to do next.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// What the system said.
    pub fn because(mut self, cause: std::io::Error) -> Self {
        if cause.kind() == std::io::ErrorKind::PermissionDenied {
            self.0.exit = Exit::Permission;
        }
        self.0.cause = Some(cause);
        self
    }

    /// How the process should end.
    pub fn exit(&self) -> Exit {
        self.0.exit
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { what, place, remedy, cause, .. } = &*self.0;
        if let Some(place) = place {
            write!(f, "{place}: ")?;
        }
        f.write_str(what)?;
        if let Some(cause) = cause {
            write!(f, ": {cause}")?;
        }
        if let Some(remedy) = remedy {
            write!(f, "\n  {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_what_why_and_what_to_do() {
        let refused = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error =
            Error::new(Exit::System, "cannot listen").at("127.0.0.1:80").because(refused).remedy("Take a port from 1024 up.");
        assert_eq!(error.to_string(), "127.0.0.1:80: cannot listen: permission denied\n  Take a port from 1024 up.");
        assert_eq!(error.exit().code(), 77);
    }
}
