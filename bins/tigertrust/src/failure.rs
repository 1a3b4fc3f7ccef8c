//! Why a command did not do what it was asked to: a message for whoever typed it.

use std::{fmt, io};

use tigertrust_accounts::{FlowError, SignInError, sso::SsoError, webhooks::WebhookError};
use tigertrust_credentials::ports::StoreError;
use tigertrust_model::RandomError;

use crate::config::SettingErrors;

/// A message for whoever typed the command.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A failure with a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<FlowError> for Failure {
    fn from(error: FlowError) -> Self {
        let mut message = error.to_string();
        if let FlowError::Invalid(violations)
        | FlowError::Forbidden(violations)
        | FlowError::WorkspaceDenied(violations) = &error
        {
            for violation in violations {
                message.push_str(&format!(
                    "\n  {}: {}",
                    violation.pointer.trim_start_matches('/'),
                    violation.detail
                ));
            }
        }
        Self(message)
    }
}

impl From<SsoError> for Failure {
    fn from(error: SsoError) -> Self {
        match error {
            SsoError::SignIn(SignInError::Flow(error)) => error.into(),
            other => Self(other.to_string()),
        }
    }
}

impl From<WebhookError> for Failure {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Flow(error) => error.into(),
            WebhookError::NoEncryptionKey => Self(format!("{error}: add an [[encryption_keys]] to it")),
        }
    }
}

macro_rules! failure_from {
    ($($error:ty),+) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self(error.to_string())
            }
        })+
    };
}

failure_from!(
    StoreError,
    SettingErrors,
    RandomError,
    io::Error,
    serde_json::Error,
    tigertrust::BuildError,
    tigertrust::server::AppError,
    tigertrust_storage::backup::BackupError,
    tigertrust_storage::migrations::MigrationError,
    tigertrust_storage::moving::MoveError
);
