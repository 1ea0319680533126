//! What can go wrong with a call, and how a run can end other than well.

use std::{error, fmt, iter};

use prost::Message as _;
use tonic::{Code, Status, TimeoutExpired};

use crate::v1::{Completion, Outcome};

/// What a call, or the reading of a run, can end with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// A call was refused, or the server could not be reached.
    Call(CallError),
    /// The run ended other than COMPLETED.
    Ended(RunEnded),
    /// A message began that never came whole, in a run that went on: another attempt took its place.
    Cut {
        /// The message.
        message_id: String,
    },
}

/// A call failed.
#[derive(Clone, Debug)]
pub struct CallError {
    /// The gRPC status.
    pub code: Code,
    /// What happened, for people.
    pub message: String,
    /// The server's stable reason, in UPPER_SNAKE_CASE. Empty when it gave none.
    pub reason: String,
    /// The fields of the request that are wrong.
    pub violations: Vec<Violation>,
}

/// A field of the request that is wrong. It is `google.rpc.BadRequest.FieldViolation`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Violation {
    /// The field's path.
    #[prost(string, tag = "1")]
    pub field: String,
    /// What is wrong with it.
    #[prost(string, tag = "2")]
    pub description: String,
}

/// A run ended other than COMPLETED.
#[derive(Clone, Debug)]
pub struct RunEnded {
    /// How it ended. The outcome may be one that only a newer server knows.
    pub completion: Box<Completion>,
}

impl RunEnded {
    /// Returns the completion of a run that ended well, else the error.
    pub(crate) fn unless_completed(completion: Completion) -> Result<Completion, Error> {
        match completion.outcome() {
            Outcome::Completed => Ok(completion),
            _ => Err(Error::Ended(RunEnded { completion: Box::new(completion) })),
        }
    }
}

impl Error {
    pub(crate) fn call(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Error::Call(CallError { code, message, reason: String::new(), violations: Vec::new() })
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let (reason, violations) = details(&status);
        let message = status.message().to_owned();
        Error::Call(CallError { code: code(&status), message, reason, violations })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Call(error) => write!(f, "{:?}: {}", error.code, error.message),
            Error::Ended(RunEnded { completion }) => {
                let outcome = Outcome::try_from(completion.outcome).map(|known| known.as_str_name());
                let outcome = outcome.map_or_else(|_| completion.outcome.to_string(), str::to_owned);
                let why = completion.error.as_ref().map_or(&completion.stop_reason, |error| &error.message);
                write!(f, "the run ended {}: {why}", outcome.trim_start_matches("OUTCOME_"))
            }
            Error::Cut { message_id } => write!(f, "message {message_id:?} was begun and never finished"),
        }
    }
}

impl error::Error for Error {}

/// Returns what other gRPC libraries say: tonic's word for a broken connection is UNKNOWN or CANCELLED, for a timeout
/// CANCELLED. What the server itself says has no source.
pub(crate) fn code(status: &Status) -> Code {
    let mut causes = iter::successors(error::Error::source(status), |error| error.source()).peekable();
    match status.code() {
        Code::Unknown | Code::Cancelled if causes.peek().is_some() => {
            let is_timeout = causes.any(|error| error.is::<TimeoutExpired>());
            if is_timeout { Code::DeadlineExceeded } else { Code::Unavailable }
        }
        code => code,
    }
}

/// google.rpc.Status, as far as it is read here.
#[derive(Clone, PartialEq, prost::Message)]
struct Details {
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    violations: Vec<Violation>,
}

fn details(status: &Status) -> (String, Vec<Violation>) {
    let (mut reason, mut violations) = Default::default();
    for detail in Details::decode(status.details()).unwrap_or_default().details {
        match detail.type_url.rsplit('/').next() {
            Some("google.rpc.ErrorInfo") => {
                reason = ErrorInfo::decode(&*detail.value).unwrap_or_default().reason;
            }
            Some("google.rpc.BadRequest") => {
                violations = BadRequest::decode(&*detail.value).unwrap_or_default().violations;
            }
            _ => {}
        }
    }
    (reason, violations)
}
