//! What is told of a start or stop.

use crate::builtin::exec::Ran;
use crate::builtin::services::status::Status;
use crate::config::services::Unit;

/// What can be done.
pub(super) const ACTIONS: [&str; 3] = ["start", "stop", "restart"];

/// What `systemctl` says where polkit does not let the caller do it.
const DENIALS: [&str; 4] = [
    "Access denied",
    "Interactive authentication required",
    "interactive authentication has not been enabled",
    "Permission denied",
];

/// That polkit refused it, and what the owner can do; `None` if something else went wrong.
pub(super) fn denied(ran: &Ran, action: &str, unit: &Unit) -> Option<String> {
    let stderr = String::from_utf8_lossy(&ran.stderr);
    DENIALS.iter().any(|denial| stderr.contains(denial)).then(|| {
        format!(
            "Nothing was done: the board (polkit) does not let perchd {action} {unit}. Trying again does not help. Its owner can \
             allow it there: perchd polkit | sudo tee /etc/polkit-1/rules.d/50-perchd-services.rules"
        )
    })
}

/// That it is done, and how the unit is now.
pub(super) fn done(action: &str, status: &Status) -> String {
    let is_as_meant = (status.active == "inactive") == (action == "stop") && status.active != "failed";
    let hint = if is_as_meant { "" } else { "\nThat is not what one would expect: read_journal may say why." };
    format!("Done: {action}. Now it is so:\n{status}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::exec::End;

    fn ran(stderr: &str) -> Ran {
        Ran { end: End::Exited(1), stdout: Vec::new(), is_cut: false, stderr: stderr.as_bytes().to_vec() }
    }

    #[test]
    fn a_refusal_of_polkit_is_told_with_its_remedy() {
        let unit = Unit::parse("nginx.service").unwrap();
        for stderr in [
            "Failed to restart nginx.service: Interactive authentication required.\nSee system logs for details.",
            "Failed to restart nginx.service: Access denied",
        ] {
            let told = denied(&ran(stderr), "restart", &unit).unwrap();
            assert!(told.contains("restart nginx.service") && told.contains("perchd polkit"), "{told}");
        }
        assert_eq!(denied(&ran("Job for nginx.service failed."), "restart", &unit), None);
    }

    #[test]
    fn what_is_not_as_meant_is_said() {
        let status = |active: &str| Status::read(format!("Id=a.service\nActiveState={active}").as_bytes()).remove(0);
        for (action, active, is_odd) in [
            ("start", "active", false),
            ("start", "activating", false),
            ("start", "inactive", true),
            ("restart", "failed", true),
            ("stop", "inactive", false),
            ("stop", "active", true),
            ("stop", "failed", true),
        ] {
            assert_eq!(done(action, &status(active)).contains("not what one would expect"), is_odd, "{action} {active}");
        }
    }
}
