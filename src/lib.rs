#![doc = include_str!("../README.md")]
#![doc = include_str!("manual/house.md")]

mod approval;
pub mod audit;
mod bridge;
pub mod builtin;
pub mod cli;
mod client;
pub mod config;
mod date;
mod errand;
pub mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod http;
mod json;
pub mod limits;
pub mod log;
pub mod manual;
pub mod mcp;
pub mod oauth;
mod order;
pub mod principal;
pub mod seal;
pub mod server;
mod systemd;
pub mod tool;
pub mod world;

pub use config::Config;
pub use error::Error;
pub use server::Server;
pub use tool::{Arg, Call, Changes, Content, Contents, Form, Messages, Output, Pattern, Prompt, Resource, Tool, ToolError};
