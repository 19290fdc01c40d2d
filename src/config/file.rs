//! The shape of the file. Whatever it does not name is refused.

use super::declared::{PromptTable, ResourceTable, ToolTable};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use toml::Spanned;

/// A value, and where it stands.
pub(super) type Placed<T> = Spanned<T>;

/// The whole file: what stands at the top, and the tables.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
    pub(super) wake: BTreeMap<Placed<String>, WakeTable>,
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
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AuthTable {
    pub(super) mode: Option<OneOrMore>,
    pub(super) redirect_uris: Vec<Placed<String>>,
    pub(super) audience: Option<Placed<String>>,
    pub(super) users: Named<UserTable>,
}

/// Tables with names of the owner's own, such as `[auth.users.NAME]`, in the order of the names.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) Vec<(Placed<String>, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

/// `[auth.users.NAME]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserTable {
    pub(super) password: Placed<String>,
    pub(super) scopes: Option<Vec<Placed<String>>>,
}

impl fmt::Debug for UserTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserTable").finish_non_exhaustive()
    }
}

/// `[tokens]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TokensTable {
    pub(super) access: Option<Placed<String>>,
    pub(super) refresh: Option<Placed<String>>,
}

/// `[tls]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsTable {
    pub(super) mode: Option<Placed<String>>,
    pub(super) certificate: Option<Placed<PathBuf>>,
    pub(super) key: Option<Placed<PathBuf>>,
    pub(super) allow_plain: bool,
}

/// `[tools]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ToolsTable {
    pub(super) hide: Vec<Placed<String>>,
    pub(super) confirm: Named<Placed<String>>,
}

/// `[system]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SystemTable {
    pub(super) root: Option<Placed<PathBuf>>,
}

/// `[sensors]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SensorsTable {
    pub(super) enabled: bool,
}

/// `[[folder]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FolderTable {
    pub(super) name: Placed<String>,
    pub(super) path: Placed<PathBuf>,
    #[serde(default)]
    pub(super) write: bool,
    pub(super) max_bytes: Option<Placed<usize>>,
}

/// `[wake.NAME]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WakeTable {
    pub(super) mac: Placed<String>,
    pub(super) broadcast: Option<Placed<String>>,
}

/// `[services]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServicesTable {
    pub(super) units: Vec<Placed<String>>,
    pub(super) all: bool,
    pub(super) control: Vec<Placed<String>>,
    pub(super) systemctl: Option<OneOrMore>,
    pub(super) journalctl: Option<OneOrMore>,
}

/// `[limits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MetricsTable {
    pub(super) enabled: bool,
    pub(super) scope: Option<Placed<String>>,
    pub(super) public: bool,
}

/// `[gpio.NAME]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LineTable {
    pub(super) chip: Placed<String>,
    pub(super) line: Placed<NumberOrName>,
    pub(super) direction: Placed<String>,
    #[serde(default)]
    pub(super) active_low: bool,
    pub(super) bias: Option<Placed<String>>,
    pub(super) safe: Option<Placed<bool>>,
    pub(super) about: Option<Placed<String>>,
}

/// `[i2c.NAME]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceTable {
    pub(super) bus: Placed<u32>,
    pub(super) address: Placed<u32>,
    pub(super) about: Option<Placed<String>>,
    #[serde(default)]
    pub(super) registers: Named<RegisterTable>,
}

/// `[i2c.NAME]`, `registers.NAME`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterTable {
    pub(super) register: Placed<u32>,
    pub(super) bytes: Option<Placed<u32>>,
    #[serde(default)]
    pub(super) signed: bool,
    pub(super) order: Option<Placed<String>>,
    pub(super) scale: Option<Placed<f64>>,
    pub(super) offset: Option<Placed<f64>>,
    pub(super) unit: Option<Placed<String>>,
}

/// Which line of a chip.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a line is a number or a name, such as 17 or \"GPIO17\"")]
pub(super) enum NumberOrName {
    Number(u32),
    Name(String),
}

/// A text, or several in brackets.
#[derive(Debug)]
pub(super) struct OneOrMore(pub(super) Vec<Placed<String>>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(String),
            More(Vec<String>),
        }
        let placed = Placed::<Either>::deserialize(deserializer)?;
        let span = placed.span();
        let texts = match placed.into_inner() {
            Either::One(text) => vec![text],
            Either::More(texts) if texts.is_empty() => return Err(D::Error::custom("there is nothing in the brackets")),
            Either::More(texts) => texts,
        };
        Ok(OneOrMore(texts.into_iter().map(|text| Placed::new(span.clone(), text)).collect()))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table for each name, such as [auth.users.anna]")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut tables = Vec::new();
                while let Some(name) = map.next_key::<Placed<String>>()? {
                    tables.push((name, map.next_value()?));
                }
                Ok(Named(tables))
            }
        }
        deserializer.deserialize_map(Each(PhantomData))
    }
}
