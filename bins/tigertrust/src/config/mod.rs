//! Settings: from a TOML file, the environment and flags, each wrong value named with its source.

mod audit;
mod key_formats;
mod keyring;
mod limits;
mod mail;
mod passkeys;
mod reader;
mod settings;
mod sso;
mod traces;
mod usage;

pub use audit::AuditSettings;
pub use keyring::{Keyring, SecretKind};
pub use mail::MailSettings;
pub use reader::{Flag, SettingErrors, Source};
pub use settings::{LogFormat, LogSettings, Settings};
pub use sso::{group_role, local_url};
#[cfg(feature = "otlp")]
pub use traces::TraceHeaders;
pub use traces::TraceSettings;
