//! Providers that speak OpenID Connect.

use tigertrust_accounts::sso::{ClientSecret, OidcPreset, OidcSettings, ProviderSettings};

use super::{Provider, Table};

/// Reads how one is asked.
pub(super) fn read(table: &mut Table<'_>, preset: OidcPreset) -> Option<Provider> {
    let issuer = match preset.issuer() {
        Some(usual) => table.text("issuer").or_else(|| Some(usual.to_owned())),
        None => table.needed(
            "issuer",
            "exactly as the provider writes it, such as https://acme.okta.com or https://login.microsoftonline.com/TENANT/v2.0",
        ),
    };
    let client_id = table.needed("client_id", "what the provider knows this server by");
    let client_secret = table.secret("client_secret", |text| match text {
        "" => Err("must not be empty"),
        text => Ok(ClientSecret::new(text)),
    });
    let mut settings = OidcSettings {
        preset,
        issuer: String::new(),
        client_id: String::new(),
        client_secret,
        scopes: table.list("scopes"),
        allowed_domains: table.list("allowed_domains"),
        // Nobody else has tenants, and who is asked for them would take them for a fence.
        tenants: if preset == OidcPreset::Azure {
            table.list("tenants")
        } else {
            Vec::new()
        },
        groups_claim: table.text("groups_claim"),
    };
    if !table.is_set("scopes") {
        settings.scopes = OidcSettings::USUAL_SCOPES.map(str::to_owned).to_vec();
    }
    table.default_is("scopes", &OidcSettings::USUAL_SCOPES.join(", "));
    settings.issuer = issuer?;
    settings.client_id = client_id?;
    Some((ProviderSettings::Oidc(settings), None))
}
