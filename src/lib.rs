//! perchd turns a Linux board into a remote MCP server.
#![doc = include_str!("manual/house.md")]

pub mod audit;
pub mod builtin;
pub mod error;
mod http;
pub mod limits;
pub mod principal;
pub mod seal;
pub mod tool;
pub mod world;
