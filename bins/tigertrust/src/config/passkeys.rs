//! The settings of passkeys.

use tigertrust::mail::PublicUrl;
use tigertrust_accounts::passkeys::RelyingPartySettings;
use tigertrust_passkeys::WebAuthn;

use super::{
    forms::{list, may_be_content},
    reader::Reader,
};

const ORIGINS: &str = "origins such as https://login.example.com, of the id or below it";

/// Reads who we are to authenticators: where nothing says so, the domain that people find this service at.
pub(super) fn read(reader: &mut Reader, public_url: Option<&PublicUrl>) -> RelyingPartySettings {
    let found_at = public_url.and_then(|url| {
        let settings = RelyingPartySettings {
            id: url.domain()?.to_owned(),
            // On every port of localhost they may be used without saying so.
            origins: Vec::from_iter((url.domain() != Some("localhost")).then(|| url.origin())),
        };
        WebAuthn::new(&settings).is_ok().then_some(settings)
    });
    let of = |id: &str| {
        let settings = RelyingPartySettings {
            id: id.to_owned(),
            origins: Vec::new(),
        };
        WebAuthn::new(&settings).is_ok().then_some(settings)
    };
    let allowed = "a domain such as example.com, in small letters and without a port";
    let settings = reader
        .read("passkeys.rp_id", allowed, of)
        .or(found_at)
        .unwrap_or_default();
    if !reader.is_set("passkeys.rp_id") {
        reader.default_is("passkeys.rp_id", &settings.id);
    }
    let Some((value, origin)) = reader.take_any("passkeys.origins", ORIGINS) else {
        return settings;
    };
    let settings = RelyingPartySettings {
        origins: list(value).unwrap_or_default(),
        ..settings
    };
    // What is wrong with an origin is said with the origin, which may hold a password.
    if settings.origins.is_empty() || settings.origins.iter().any(|origin| may_be_content(origin)) {
        reader.refuse("passkeys.origins", &origin, &format!("must be {ORIGINS}"));
    } else if let Err(error) = WebAuthn::new(&settings) {
        reader.refuse("passkeys.origins", &origin, &error.to_string());
    }
    settings
}
