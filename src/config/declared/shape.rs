//! The shape of what is declared. Whatever it does not name is refused.

use crate::config::file::Placed;
use crate::config::tree::{Named, tables};
use serde_json::Value;
use std::path::PathBuf;

tables! {
    /// A file of `tools.d`.
    pub(in crate::config) struct Tables {
        pub(in crate::config) tool: Vec<Placed<ToolTable>>,
        pub(in crate::config) resource: Vec<Placed<ResourceTable>>,
        pub(in crate::config) prompt: Vec<Placed<PromptTable>>,
    }

    /// `[[tool]]`.
    pub(in crate::config) struct ToolTable {
        pub(super) name: Placed<String>,
        pub(super) title: Option<Placed<String>>,
        pub(super) about: Placed<String>,
        pub(super) scope: Option<Placed<String>>,
        pub(super) effect: Placed<String>,
        pub(super) run: Placed<Vec<Placed<String>>>,
        pub(super) confirm: Option<Placed<String>>,
        pub(super) dry_run: Option<Placed<Vec<Placed<String>>>>,
        pub(super) args: Named<ArgTable>,
        pub(super) timeout: Option<Placed<String>>,
        pub(super) max_output: Option<Placed<String>>,
        pub(super) rate: Option<Placed<String>>,
        pub(super) concurrency: Option<Placed<usize>>,
        pub(super) cwd: Option<Placed<PathBuf>>,
        pub(super) env: Named<Placed<String>>,
        pub(super) output: Option<Placed<String>>,
        pub(super) schema: Option<Placed<Value>>,
        pub(super) progress: bool,
    }

    /// `[[tool]]`, `args.NAME`.
    pub(super) struct ArgTable {
        pub(super) r#type: Placed<String>,
        pub(super) about: Option<String>,
        pub(super) r#enum: Option<Placed<Vec<Placed<String>>>>,
        pub(super) pattern: Option<Placed<String>>,
        pub(super) min_length: Option<Placed<usize>>,
        pub(super) max_length: Option<Placed<usize>>,
        pub(super) min: Option<Placed<f64>>,
        pub(super) max: Option<Placed<f64>>,
        pub(super) flag: Option<Placed<String>>,
        pub(super) default: Option<Placed<Value>>,
        pub(super) optional: bool,
        pub(super) allow_dash: bool,
        pub(super) secret: bool,
    }

    /// `[[resource]]`.
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
        pub(super) env: Named<Placed<String>>,
    }

    /// `[[prompt]]`.
    pub(in crate::config) struct PromptTable {
        pub(super) name: Placed<String>,
        pub(super) title: Option<Placed<String>>,
        pub(super) about: Placed<String>,
        pub(super) scope: Option<Placed<String>>,
        pub(super) args: Named<BlankTable>,
        pub(super) text: Placed<String>,
    }

    /// `[[prompt]]`, `args.NAME`.
    pub(super) struct BlankTable {
        pub(super) about: Option<String>,
        pub(super) optional: bool,
    }
}
