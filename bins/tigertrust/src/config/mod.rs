//! Settings: from a TOML file, the environment and flags, each wrong value named with its source.

mod asked;
mod audit;
mod catalog;
mod forms;
mod key_formats;
mod keyring;
mod keyring_source;
mod keyring_text;
mod limits;
mod listen;
mod mail;
mod passkeys;
mod reader;
mod scopes;
mod sections;
mod settings;
mod sso;
mod tls;
mod traces;
mod usage;

pub use asked::Asked;
pub use audit::AuditSettings;
#[cfg(test)]
pub use catalog::catalogued;
pub use catalog::{OnReload, documented};
pub use forms::cannot_read;
pub use keyring::{Keyring, SecretKind};
pub use keyring_source::KeyringSource;
pub use keyring_text::{KeyringText, NotOurForm};
pub use listen::Listen;
pub use mail::MailSettings;
pub use reader::{Flag, SettingErrors, Source};
pub use sections::place_of;
#[cfg(test)]
pub use sections::{SECTIONS, section_of};
pub use settings::{LogFormat, LogSettings, Settings};
pub use sso::group_role;
pub use tls::TlsSettings;
#[cfg(feature = "otlp")]
pub use traces::TraceHeaders;
pub use traces::TraceSettings;
