//! By what name a provider calls itself.

use openidconnect::url::Url;
use tigertrust_accounts::sso::{OidcPreset, OidcSettings, ProviderError};

/// What stands for the tenant in the metadata of Azure's `common` and `organizations`.
const TENANT: &str = "{tenantid}";

/// By what name a provider calls itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Issuer {
    /// By one.
    One(String),
    /// By one for each tenant: `https://login.microsoftonline.com/{tenantid}/v2.0`.
    OfTenants(String),
}

impl Issuer {
    /// The name in the metadata that was found where the settings say.
    pub(super) fn published(published: &str, settings: &OidcSettings) -> Result<Self, ProviderError> {
        if published == settings.issuer {
            return Ok(Self::One(published.to_owned()));
        }
        if settings.preset != OidcPreset::Azure || !published.contains(TENANT) {
            return Err(ProviderError::Settings(
                "the provider calls itself by another issuer; it has to be written exactly as in the provider's metadata"
                    .to_owned(),
            ));
        }
        let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin());
        if origin(published).is_none() || origin(published) != origin(&settings.issuer) {
            return Err(ProviderError::Settings(
                "the provider's issuers are at another host than its metadata".to_owned(),
            ));
        }
        Ok(Self::OfTenants(published.to_owned()))
    }

    /// Whether the settings say all that is needed to tell who may sign in. What is published is known to all whose settings name
    /// the same provider, so this is no part of reading it.
    pub(super) fn check(&self, settings: &OidcSettings) -> Result<(), ProviderError> {
        if matches!(self, Self::OfTenants(_)) && settings.tenants.is_empty() {
            return Err(ProviderError::Settings(
                "this issuer is shared by all tenants: the tenants that may sign in have to be named"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether this is a name of the provider; for a provider of many tenants, of one of the tenants that may sign in.
    pub(super) fn is(&self, claimed: &str, settings: &OidcSettings) -> bool {
        match self {
            Self::One(issuer) => claimed == issuer,
            Self::OfTenants(template) => settings
                .tenants
                .iter()
                .any(|tenant| claimed == of_tenant(template, tenant)),
        }
    }

    /// Whether the tenant may sign in, and this is its name.
    pub(super) fn is_of_tenant(&self, claimed: &str, tenant: &str, settings: &OidcSettings) -> bool {
        let is_allowed = settings
            .tenants
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(tenant));
        match self {
            Self::One(issuer) => claimed == issuer && (is_allowed || settings.tenants.is_empty()),
            Self::OfTenants(template) => is_allowed && claimed == of_tenant(template, tenant),
        }
    }
}

/// Azure writes the ids of tenants in lower case.
fn of_tenant(template: &str, tenant: &str) -> String {
    template.replace(TENANT, &tenant.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "https://login.example.com/{tenantid}/v2.0";

    fn settings(preset: OidcPreset, issuer: &str, tenants: &[&str]) -> OidcSettings {
        OidcSettings {
            preset,
            issuer: issuer.to_owned(),
            client_id: "client".to_owned(),
            client_secret: None,
            scopes: Vec::new(),
            allowed_domains: Vec::new(),
            tenants: tenants.iter().map(|&tenant| tenant.to_owned()).collect(),
            groups_claim: None,
        }
    }

    #[test]
    fn an_issuer_is_compared_exactly() {
        let custom = settings(OidcPreset::Custom, "https://id.example.com", &[]);
        let issuer = Issuer::published("https://id.example.com", &custom).unwrap();
        assert!(issuer.is("https://id.example.com", &custom));
        for other in [
            "https://id.example.com/",
            "https://ID.example.com",
            "http://id.example.com",
            "",
        ] {
            assert!(!issuer.is(other, &custom), "{other}");
            assert!(Issuer::published(other, &custom).is_err(), "{other}");
        }
        assert!(
            Issuer::published(TEMPLATE, &custom).is_err(),
            "only Azure has templates"
        );
    }

    #[test]
    fn a_template_is_of_the_named_tenants_alone() {
        let azure = settings(
            OidcPreset::Azure,
            "https://login.example.com/common/v2.0",
            &["ACME", "other"],
        );
        let issuer = Issuer::published(TEMPLATE, &azure).unwrap();
        assert!(issuer.is("https://login.example.com/acme/v2.0", &azure));
        assert!(issuer.is_of_tenant("https://login.example.com/acme/v2.0", "acme", &azure));
        assert!(!issuer.is_of_tenant("https://login.example.com/other/v2.0", "acme", &azure));
        assert!(!issuer.is_of_tenant("https://login.example.com/foreign/v2.0", "foreign", &azure));
        for other in [
            "https://login.example.com/foreign/v2.0",
            TEMPLATE,
            "https://login.example.com/common/v2.0",
        ] {
            assert!(!issuer.is(other, &azure), "{other}");
        }

        let nobody = settings(OidcPreset::Azure, "https://login.example.com/common/v2.0", &[]);
        assert!(issuer.check(&azure).is_ok());
        assert!(issuer.check(&nobody).is_err(), "tenants have to be named");
        assert!(Issuer::published("https://evil.example.com/{tenantid}/v2.0", &azure).is_err());
    }

    #[test]
    fn the_own_issuer_of_a_tenant_may_be_narrowed() {
        let own = "https://login.example.com/acme/v2.0";
        for (tenants, accepted) in [(&[][..], true), (&["acme"], true), (&["other"], false)] {
            let azure = settings(OidcPreset::Azure, own, tenants);
            let issuer = Issuer::published(own, &azure).unwrap();
            assert_eq!(issuer.is_of_tenant(own, "acme", &azure), accepted, "{tenants:?}");
        }
    }
}
