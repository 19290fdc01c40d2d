//! The shape of what is declared. Whatever it does not name is refused.

use crate::config::file::Placed;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

/// A file of `tools.d`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Tables {
    pub(in crate::config) tool: Vec<Placed<ToolTable>>,
    pub(in crate::config) resource: Vec<Placed<ResourceTable>>,
    pub(in crate::config) prompt: Vec<Placed<PromptTable>>,
}

/// `[[tool]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ToolTable {
    pub(super) name: Placed<String>,
    pub(super) title: Option<Placed<String>>,
    pub(super) about: Placed<String>,
    pub(super) scope: Option<Placed<String>>,
    pub(super) effect: Placed<String>,
    pub(super) run: Placed<Vec<Placed<String>>>,
    pub(super) confirm: Option<Placed<String>>,
    pub(super) dry_run: Option<Placed<Vec<Placed<String>>>>,
    #[serde(default)]
    pub(super) args: Named<ArgTable>,
    pub(super) timeout: Option<Placed<String>>,
    pub(super) max_output: Option<Placed<String>>,
    pub(super) rate: Option<Placed<String>>,
    pub(super) concurrency: Option<Placed<usize>>,
    pub(super) cwd: Option<Placed<PathBuf>>,
    #[serde(default)]
    pub(super) env: Named<Placed<String>>,
    pub(super) output: Option<Placed<String>>,
    pub(super) schema: Option<Placed<Value>>,
    #[serde(default)]
    pub(super) progress: bool,
}

/// `[[tool]]`, `args.NAME`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ArgTable {
    pub(super) r#type: Placed<String>,
    #[serde(default)]
    pub(super) about: String,
    pub(super) r#enum: Option<Placed<Vec<Placed<String>>>>,
    pub(super) pattern: Option<Placed<String>>,
    pub(super) min_length: Option<Placed<usize>>,
    pub(super) max_length: Option<Placed<usize>>,
    pub(super) min: Option<Placed<f64>>,
    pub(super) max: Option<Placed<f64>>,
    pub(super) flag: Option<Placed<String>>,
    pub(super) default: Option<Placed<Value>>,
    #[serde(default)]
    pub(super) optional: bool,
    #[serde(default)]
    pub(super) allow_dash: bool,
    #[serde(default)]
    pub(super) secret: bool,
}

/// `[[resource]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ResourceTable {
    pub(super) uri: Placed<String>,
    pub(super) name: Placed<String>,
    pub(super) title: Option<Placed<String>>,
    pub(super) about: Option<Placed<String>>,
    pub(super) mime: Option<Placed<String>>,
    pub(super) scope: Option<Placed<String>>,
    pub(super) file: Option<Placed<PathBuf>>,
    pub(super) run: Option<Placed<Vec<Placed<String>>>>,
    pub(super) max_size: Option<Placed<String>>,
    pub(super) timeout: Option<Placed<String>>,
    pub(super) cwd: Option<Placed<PathBuf>>,
    #[serde(default)]
    pub(super) env: Named<Placed<String>>,
}

/// `[[prompt]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct PromptTable {
    pub(super) name: Placed<String>,
    pub(super) title: Option<Placed<String>>,
    pub(super) about: Placed<String>,
    pub(super) scope: Option<Placed<String>>,
    #[serde(default)]
    pub(super) args: Named<BlankTable>,
    pub(super) text: Placed<String>,
}

/// `[[prompt]]`, `args.NAME`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlankTable {
    #[serde(default)]
    pub(super) about: String,
    #[serde(default)]
    pub(super) optional: bool,
}

/// A table whose keys the owner chooses, in the order of the file.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) Vec<(Placed<String>, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table, such as { name = … }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }
        deserializer.deserialize_map(Each(PhantomData))
    }
}
