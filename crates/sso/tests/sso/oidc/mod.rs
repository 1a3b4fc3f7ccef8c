//! The relying party, and what the tests have in common.

mod documents;
mod logout;
mod presets;
mod refusals;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tigertrust_accounts::sso::{
    ClientSecret, OidcCallback, OidcPreset, OidcRelyingParty, OidcRequest, OidcSettings, ProviderError,
    VerifiedIdentity,
};
use tigertrust_sso::{
    http::{ProviderHttp, ProviderHttpSettings},
    oidc::RelyingParty,
};
use tigertrust_testkit::{ProviderBrowser, TestClock, ThrowawayProvider};

const CALLBACK: &str = "http://127.0.0.1:1/callback";

/// For a provider on this machine, with less patience than in earnest.
fn http() -> ProviderHttp {
    ProviderHttp::new(ProviderHttpSettings {
        allow_loopback: true,
        deadline: Duration::from_secs(3),
        ..ProviderHttpSettings::default()
    })
    .unwrap()
}

fn relying_party(clock: &Arc<TestClock>) -> RelyingParty {
    RelyingParty::new(http(), Arc::clone(clock) as _)
}

fn settings(preset: OidcPreset, issuer: String) -> OidcSettings {
    OidcSettings {
        preset,
        issuer,
        client_id: "tigertrust".to_owned(),
        client_secret: Some(ClientSecret::new("secret")),
        scopes: vec!["email".to_owned(), "profile".to_owned()],
        allowed_domains: Vec::new(),
        tenants: Vec::new(),
        groups_claim: None,
    }
}

fn request() -> OidcRequest {
    OidcRequest {
        redirect_uri: CALLBACK.to_owned(),
        state: "a state".to_owned().into(),
        nonce: "a nonce".to_owned().into(),
        code_verifier: "v".repeat(43).into(),
        login_hint: None,
    }
}

fn client() -> Value {
    json!({
        "client_id": "tigertrust",
        "client_secret": "secret",
        "redirect_uris": [CALLBACK],
    })
}

/// What the provider sends the browser back with.
async fn callback(
    party: &RelyingParty,
    settings: &OidcSettings,
    request: &OidcRequest,
    browser: &mut ProviderBrowser,
    login: &str,
) -> Result<OidcCallback, ProviderError> {
    let url = party.begin(settings, request).await?;
    let url = browser.sign_in(&url, login).await;
    let parameter = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    assert_eq!(parameter("state").as_deref(), Some("a state"), "{url}");
    Ok(OidcCallback {
        code: parameter("code")
            .unwrap_or_else(|| panic!("no code: {url}"))
            .into(),
        issuer: parameter("iss"),
    })
}

async fn sign_in(
    party: &RelyingParty,
    settings: &OidcSettings,
    login: &str,
) -> Result<VerifiedIdentity, ProviderError> {
    let request = request();
    let callback = callback(party, settings, &request, &mut ProviderBrowser::default(), login).await?;
    party
        .finish(settings, &request, &callback, TestClock::START)
        .await
}

/// A provider that can be told to do things wrong, and a public client of it: it knows no other.
fn wrong_provider() -> (ThrowawayProvider, OidcSettings) {
    let provider = ThrowawayProvider::start_wrong(&json!({}));
    let settings = OidcSettings {
        client_secret: None,
        ..settings(OidcPreset::Custom, provider.origin().to_owned())
    };
    (provider, settings)
}

fn refused<T>(why: &str) -> Result<T, ProviderError> {
    Err(ProviderError::Refused(why.to_owned()))
}
