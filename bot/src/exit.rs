//! How a command line ends: the status, and the sentence for people.

use mls_core::delivery::DeliveryError;
use thiserror::Error;

use crate::handle::BotError;
use crate::login::LoginFailure;
use crate::profile::ProfileError;
use crate::runner::RunError;

/// An end that is not success; the status of each is documented in `--help`.
#[derive(Debug, Error)]
pub enum Exit {
    /// Something here went wrong, or was not in time. Status 1.
    #[error("{0}")]
    Failed(String),
    /// The command cannot be fulfilled, and its event has said so. Status 1.
    #[error("{0}")]
    CommandFailed(String),
    /// The command line does not say what it must. Status 2.
    #[error("{0}")]
    Usage(String),
    /// The server cannot be reached. Status 3.
    #[error("{0}")]
    Network(String),
    /// The server refuses. Status 4.
    #[error("{0}")]
    Refused(String),
    /// Nobody reads the output any more, which is a good reason to end. Status 0.
    #[error("the output is closed")]
    OutputClosed,
}

impl Exit {
    /// The status that the process ends with.
    pub fn status(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Failed(_) | Self::CommandFailed(_) => 1,
            Self::Usage(_) => 2,
            Self::Network(_) => 3,
            Self::Refused(_) => 4,
        }
    }
}

impl From<BotError> for Exit {
    fn from(error: BotError) -> Self {
        match error {
            BotError::Connect(DeliveryError::Later { .. }) => Self::Network(error.to_string()),
            BotError::Connect(DeliveryError::Refused { .. }) => Self::Refused(error.to_string()),
            BotError::Run(error) => error.into(),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<RunError> for Exit {
    fn from(error: RunError) -> Self {
        match error {
            RunError::SessionEnded(_) => Self::Refused(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ProfileError> for Exit {
    fn from(error: ProfileError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<LoginFailure> for Exit {
    fn from(error: LoginFailure) -> Self {
        match error {
            LoginFailure::Unreachable(_) => Self::Network(error.to_string()),
            LoginFailure::Refused(_) => Self::Refused(error.to_string()),
            LoginFailure::Address(_)
            | LoginFailure::Authority(_)
            | LoginFailure::NotProtected(_) => Self::Usage(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Exit {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Failed(format!("the output cannot be written: {error}")),
        }
    }
}

impl From<getrandom::Error> for Exit {
    fn from(error: getrandom::Error) -> Self {
        Self::Failed(format!("no random numbers: {error}"))
    }
}
