//! The manual: how to set things up, and why they are as they are.

#[doc = include_str!("getting-started.md")]
pub mod getting_started {}

#[doc = include_str!("clients.md")]
pub mod clients {}

#[doc = include_str!("recipes.md")]
pub mod recipes {}

#[doc = include_str!("command_line.md")]
pub mod command_line {}

#[doc = include_str!("configuration.md")]
pub mod configuration {}

#[doc = include_str!("commands.md")]
pub mod commands {}

#[doc = include_str!("bridge.md")]
pub mod bridge {}

#[doc = include_str!("boards.md")]
pub mod boards {}

#[doc = include_str!("library.md")]
pub mod library {}

#[doc = include_str!("fleet.md")]
pub mod fleet {}

#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("approval.md")]
pub mod approval {}

#[doc = include_str!("balancer.md")]
pub mod balancer {}

#[doc = include_str!("threats.md")]
pub mod threats {}

#[doc = include_str!("decisions.md")]
pub mod decisions {}

#[doc = include_str!("revisions.md")]
pub mod revisions {}

#[doc = include_str!("changes.md")]
pub mod changes {}

#[doc = include_str!("contributing.md")]
pub mod contributing {}
