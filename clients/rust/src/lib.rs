#![doc = include_str!("../README.md")]

mod client;
mod errors;
mod following;
mod run;
#[rustfmt::skip]
pub mod v1;

pub use client::{Client, Conversation, Service, retry};
pub use errors::{CallError, Error};
pub use run::{MessageStream, Run};
pub use tonic::{Code, transport::Endpoint};
