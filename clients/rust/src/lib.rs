//! Client of Runwire: runs LLM agents, and streams what they do. README.md shows how. Nothing runs in the background:
//! what is dropped, a stream or a future, is cancelled.

mod client;
mod errors;
mod following;
mod run;
#[rustfmt::skip]
#[allow(clippy::all, rustdoc::all)]
pub mod v1;

pub use client::{Client, Conversation, Service, retry};
pub use errors::{CallError, Error};
pub use run::{MessageStream, Run};
pub use tonic::{Code, transport::Endpoint};
