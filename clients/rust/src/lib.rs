//! Client of Runwire: runs LLM agents, and streams what they do.
//!
//! ```no_run
//! use futures_util::TryStreamExt as _;
//! use runwire::{Client, v1::{Message, RunRequest}};
//!
//! # async fn answer() -> Result<(), runwire::Error> {
//! let client = Client::new("127.0.0.1:50051")?;
//! let message = Message { content: "What is 25*4?".into(), ..Default::default() };
//! let run = client.run(RunRequest { user_id: "ada".into(), message: Some(message), ..Default::default() });
//! let mut deltas = run.deltas();
//! while let Some(piece) = deltas.try_next().await? {
//!     print!("{piece}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Nothing runs in the background: what is dropped, a stream or a future, is cancelled.

mod client;
mod conversation;
mod errors;
mod following;
mod messages;
mod run;
#[rustfmt::skip]
#[allow(clippy::all, rustdoc::all)]
pub mod v1;

pub use client::{Client, Service, Timeout};
pub use conversation::Conversation;
pub use errors::{CallError, Error, RunEnded, Violation};
pub use messages::MessageStream;
pub use run::Run;
pub use tonic::Code;
