//! The shape of the file. Whatever it does not name is refused.

use super::declared::{PromptTable, ResourceTable, ToolTable};
use super::tree::{Fault, Named, Place, Shape, tables};
use std::path::PathBuf;
use toml::Spanned;

/// A value, and where it stands.
pub(super) type Placed<T> = Spanned<T>;

tables! {
    /// The whole file: what stands at the top, and the tables.
    pub(super) struct File {
        pub(super) name: Option<Placed<String>>,
        pub(super) listen: Option<OneOrMore>,
        pub(super) state: Option<Placed<PathBuf>>,
        pub(super) names: Vec<Placed<String>>,
        pub(super) public: Vec<Placed<String>>,
        pub(super) origins: Vec<Placed<String>>,
        pub(super) auth: AuthTable,
        pub(super) tokens: TokensTable,
        pub(super) tls: Option<Placed<TlsTable>>,
        pub(super) tools: ToolsTable,
        pub(super) system: SystemTable,
        pub(super) sensors: SensorsTable,
        pub(super) folder: Vec<FolderTable>,
        pub(super) wake: Named<WakeTable>,
        pub(super) services: Option<Placed<ServicesTable>>,
        pub(super) limits: LimitsTable,
        pub(super) metrics: MetricsTable,
        pub(super) tool: Vec<Placed<ToolTable>>,
        pub(super) resource: Vec<Placed<ResourceTable>>,
        pub(super) prompt: Vec<Placed<PromptTable>>,
        pub(super) gpio: Named<LineTable>,
        pub(super) i2c: Named<DeviceTable>,
    }

    /// `[auth]`.
    pub(super) struct AuthTable {
        pub(super) mode: Option<OneOrMore>,
        pub(super) redirect_uris: Vec<Placed<String>>,
        pub(super) audience: Option<Placed<String>>,
        pub(super) users: Named<UserTable>,
    }

    /// `[auth.users.NAME]`.
    pub(super) struct UserTable {
        pub(super) password: Placed<String>,
        pub(super) scopes: Option<Vec<Placed<String>>>,
    }

    /// `[tokens]`.
    pub(super) struct TokensTable {
        pub(super) access: Option<Placed<String>>,
        pub(super) refresh: Option<Placed<String>>,
    }

    /// `[tls]`.
    pub(super) struct TlsTable {
        pub(super) mode: Option<Placed<String>>,
        pub(super) certificate: Option<Placed<PathBuf>>,
        pub(super) key: Option<Placed<PathBuf>>,
        pub(super) allow_plain: bool,
    }

    /// `[tools]`.
    pub(super) struct ToolsTable {
        pub(super) hide: Vec<Placed<String>>,
        pub(super) confirm: Named<Placed<String>>,
    }

    /// `[system]`.
    pub(super) struct SystemTable {
        pub(super) root: Option<Placed<PathBuf>>,
    }

    /// `[sensors]`.
    pub(super) struct SensorsTable {
        pub(super) enabled: bool,
    }

    /// `[[folder]]`.
    pub(super) struct FolderTable {
        pub(super) name: Placed<String>,
        pub(super) path: Placed<PathBuf>,
        pub(super) write: bool,
        pub(super) max_bytes: Option<Placed<usize>>,
    }

    /// `[wake.NAME]`.
    pub(super) struct WakeTable {
        pub(super) mac: Placed<String>,
        pub(super) broadcast: Option<Placed<String>>,
    }

    /// `[services]`.
    pub(super) struct ServicesTable {
        pub(super) units: Vec<Placed<String>>,
        pub(super) all: bool,
        pub(super) control: Vec<Placed<String>>,
        pub(super) systemctl: Option<OneOrMore>,
        pub(super) journalctl: Option<OneOrMore>,
    }

    /// `[limits]`.
    pub(super) struct LimitsTable {
        pub(super) connections: Option<Placed<usize>>,
        pub(super) connections_per_address: Option<Placed<usize>>,
        pub(super) streams: Option<Placed<usize>>,
        pub(super) streams_per_subject: Option<Placed<usize>>,
        pub(super) sessions: Option<Placed<usize>>,
        pub(super) calls: Option<Placed<usize>>,
        pub(super) body_bytes: Option<Placed<usize>>,
        pub(super) header_bytes: Option<Placed<usize>>,
        pub(super) outbox_bytes: Option<Placed<usize>>,
    }

    /// `[metrics]`.
    pub(super) struct MetricsTable {
        pub(super) enabled: bool,
        pub(super) scope: Option<Placed<String>>,
        pub(super) public: bool,
    }

    /// `[gpio.NAME]`.
    pub(super) struct LineTable {
        pub(super) chip: Placed<String>,
        pub(super) line: Placed<NumberOrName>,
        pub(super) direction: Placed<String>,
        pub(super) active_low: bool,
        pub(super) bias: Option<Placed<String>>,
        pub(super) safe: Option<Placed<bool>>,
        pub(super) about: Option<Placed<String>>,
    }

    /// `[i2c.NAME]`.
    pub(super) struct DeviceTable {
        pub(super) bus: Placed<u32>,
        pub(super) address: Placed<u32>,
        pub(super) about: Option<Placed<String>>,
        pub(super) registers: Named<RegisterTable>,
    }

    /// `[i2c.NAME]`, `registers.NAME`.
    pub(super) struct RegisterTable {
        pub(super) register: Placed<u32>,
        pub(super) bytes: Option<Placed<u32>>,
        pub(super) signed: bool,
        pub(super) order: Option<Placed<String>>,
        pub(super) scale: Option<Placed<f64>>,
        pub(super) offset: Option<Placed<f64>>,
        pub(super) unit: Option<Placed<String>>,
    }
}

/// Which line of a chip.
pub(super) enum NumberOrName {
    Number(u32),
    Name(String),
}

impl Shape for NumberOrName {
    fn nothing() -> Self {
        NumberOrName::Number(0)
    }

    fn is_needed(&self) -> bool {
        true
    }

    fn read(&mut self, place: &Place<'_>) -> Result<(), Fault> {
        *self = match (place.whole("u32"), place.text("a string")) {
            (Ok(number), _) => NumberOrName::Number(number),
            (_, Ok(name)) => NumberOrName::Name(name.to_owned()),
            _ => return Err(place.fault("a line is a number or a name, such as 17 or \"GPIO17\"")),
        };
        Ok(())
    }
}

/// A text, or several in brackets.
pub(super) struct OneOrMore(pub(super) Vec<Placed<String>>);

impl Shape for OneOrMore {
    fn nothing() -> Self {
        OneOrMore(Vec::new())
    }

    fn is_needed(&self) -> bool {
        true
    }

    fn read(&mut self, place: &Place<'_>) -> Result<(), Fault> {
        let mut text = Placed::nothing();
        if text.read(place).is_ok() {
            self.0.push(text);
            return Ok(());
        }
        place.list("a text, or several in brackets")?;
        self.0.read(place)?;
        if self.0.is_empty() { Err(place.fault("there is nothing in the brackets")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree;

    #[test]
    fn where_one_or_more_can_stand_a_fault_says_so() {
        let said = |text| tree::read::<File>(text).err().map(|fault| (fault.what, &text[fault.span.unwrap()]));
        let expected = "invalid type: integer `5`, expected a text, or several in brackets";
        assert_eq!(said("listen = 5"), Some((expected.to_owned(), "5")));
        assert_eq!(said("listen = ['a', 5]"), Some(("invalid type: integer `5`, expected a string".to_owned(), "5")));
        assert_eq!(said("listen = []"), Some(("there is nothing in the brackets".to_owned(), "[]")));
        assert_eq!(said("listen = 'a'"), None);
    }
}
