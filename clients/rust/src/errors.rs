//! What can go wrong with a call, and how a run can end other than well.

use std::{error::Error as _, iter};

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::{FieldViolation, StatusExt as _};

use crate::v1::Completion;

/// What a call, or the reading of a run, can end with.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A call was refused, or the server could not be reached.
    #[error("{:?}: {}", .0.code, .0.message)]
    Call(CallError),
    /// The run ended other than COMPLETED; the outcome may be one that only a newer server knows.
    #[error("the run ended {:?}: {}", .0.outcome(), .0.stop_reason)]
    Ended(Box<Completion>),
}

/// A call failed. `reason` is stable, in UPPER_SNAKE_CASE, and empty when the server gave none; `violations` are the
/// fields of the request that are wrong, each with what is wrong with it.
#[derive(Clone, Debug)]
pub struct CallError {
    pub code: Code,
    pub message: String,
    pub reason: String,
    pub violations: Vec<FieldViolation>,
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let reason = status.get_details_error_info().map(|it| it.reason).unwrap_or_default();
        let violations = status.get_details_bad_request().map(|it| it.field_violations).unwrap_or_default();
        Error::Call(CallError { code: code(&status), message: status.message().to_owned(), reason, violations })
    }
}

/// Returns the code that other gRPC libraries have for it: of a broken connection tonic says UNKNOWN or CANCELLED, of a
/// timeout CANCELLED. What the server itself says has no source.
pub(crate) fn code(status: &Status) -> Code {
    let mut causes = iter::successors(status.source(), |&error| error.source());
    match status.code() {
        Code::Unknown | Code::Cancelled if causes.any(|error| error.is::<TimeoutExpired>()) => Code::DeadlineExceeded,
        Code::Unknown | Code::Cancelled if status.source().is_some() => Code::Unavailable,
        code => code,
    }
}
