//! The settings of passkeys.

use tigertrust_accounts::passkeys::RelyingPartySettings;
use tigertrust_passkeys::WebAuthn;

use super::{reader::Reader, settings::list};

/// Reads who we are to authenticators.
pub(super) fn read(reader: &mut Reader) -> RelyingPartySettings {
    let shipped = RelyingPartySettings::default();
    let of = |id: &str| {
        let settings = RelyingPartySettings {
            id: id.to_owned(),
            origins: Vec::new(),
        };
        WebAuthn::new(&settings).is_ok().then_some(settings)
    };
    let allowed = "a domain such as example.com, in small letters and without a port";
    let settings = reader.read("passkeys.rp_id", allowed, of).unwrap_or(shipped);
    let Some((value, origin)) = reader.take_any("passkeys.origins") else {
        return settings;
    };
    let settings = RelyingPartySettings {
        origins: list(value).unwrap_or_default(),
        ..settings
    };
    if settings.origins.is_empty() {
        reader.refuse(
            "passkeys.origins",
            &origin,
            "must be origins such as https://login.example.com",
        );
    } else if let Err(error) = WebAuthn::new(&settings) {
        reader.refuse("passkeys.origins", &origin, &error.to_string());
    }
    settings
}
