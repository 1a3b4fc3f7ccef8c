//! The kinds of providers, and what is to be entered at each of them.

use maud::{Markup, html};
use tigertrust_accounts::sso::{Connection, OidcPreset, SsoFlows};
use tigertrust_wire::SsoConnection;

use crate::components::copyable;

/// A kind of provider that somebody chooses among.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Google,
    Azure,
    Okta,
    Oidc,
    Saml,
}

impl Kind {
    /// All of them, in the order in which they are offered.
    pub(super) const ALL: [Self; 5] = [Self::Google, Self::Azure, Self::Okta, Self::Oidc, Self::Saml];

    /// As it stands in addresses and forms.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Azure => "azure",
            Self::Okta => "okta",
            Self::Oidc => "oidc",
            Self::Saml => "saml",
        }
    }

    /// The one that a word stands for.
    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Of which kind a connection is.
    pub(super) const fn of(connection: &Connection) -> Self {
        match connection.preset() {
            Some(OidcPreset::Google) => Self::Google,
            Some(OidcPreset::Azure) => Self::Azure,
            Some(OidcPreset::Okta) => Self::Okta,
            Some(OidcPreset::Custom) => Self::Oidc,
            None => Self::Saml,
        }
    }

    /// What people call it.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Google => "Google Workspace",
            Self::Azure => "Microsoft Entra ID (Azure AD)",
            Self::Okta => "Okta",
            Self::Oidc => "Another OpenID Connect provider",
            Self::Saml => "SAML 2.0",
        }
    }

    /// When to choose it.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Google => "By OpenID Connect. It tells neither groups nor second factors.",
            Self::Azure => {
                "By OpenID Connect. To connect accounts that exist by their address, it has to send xms_edov."
            }
            Self::Okta => "By OpenID Connect. With SCIM, Okta wants a SAML application.",
            Self::Oidc => {
                "Keycloak, Auth0, Ping, GitLab and whatever else publishes OpenID Connect metadata."
            }
            Self::Saml => {
                "Any identity provider with SAML metadata: Okta, Entra ID, Google, ADFS, Shibboleth, OneLogin."
            }
        }
    }

    /// What the API calls it, where it is asked by OpenID Connect.
    pub(super) const fn preset(self) -> OidcPreset {
        match self {
            Self::Google => OidcPreset::Google,
            Self::Azure => OidcPreset::Azure,
            Self::Okta => OidcPreset::Okta,
            Self::Oidc | Self::Saml => OidcPreset::Custom,
        }
    }
}

/// The connection as the API shows it, with the addresses that a provider is given.
pub(super) fn shown(sso: &SsoFlows, connection: &Connection) -> SsoConnection {
    SsoConnection::new(connection, sso.public_url(), sso.return_address(connection))
}

/// What is to be done at the provider before anything is entered here.
pub(super) fn at_provider(kind: Kind, connection: &SsoConnection) -> Markup {
    html! {
        div.prose {
            ol {
                @match kind {
                    Kind::Google => (google(connection)),
                    Kind::Azure => (azure(connection)),
                    Kind::Okta => (okta(connection)),
                    Kind::Oidc => (oidc(connection)),
                    Kind::Saml => (saml(connection)),
                }
            }
        }
    }
}

fn return_url(connection: &SsoConnection) -> Markup {
    copyable("return-url", &connection.return_url, "the redirect URI")
}

fn google(connection: &SsoConnection) -> Markup {
    html! {
        li { "In the Google Cloud console open " em { "Google Auth Platform › Clients › Create client" } ", of the type " strong { "Web application" } "." }
        li { "Enter this under " em { "Authorized redirect URIs" } ":" (return_url(connection)) }
        li { em { "Create" } " shows the " em { "Client ID" } " and the " em { "Client secret" } ", once: they are asked for below." }
    }
}

fn azure(connection: &SsoConnection) -> Markup {
    html! {
        li {
            "In the Entra admin center open " em { "Entra ID › App registrations › New registration" } ", for "
            strong { "accounts in this organizational directory only" } "."
        }
        li { "Enter this as " em { "Redirect URI" } ", platform " strong { "Web" } ":" (return_url(connection)) }
        li { "Of the " em { "Overview" } " note the " em { "Application (client) ID" } " and the " em { "Directory (tenant) ID" } "." }
        li {
            em { "Certificates & secrets › New client secret" } ": copy the " strong { "Value" } ", not the " em { "Secret ID" }
            ", and note when it expires."
        }
        li {
            em { "Token configuration › Add optional claim › ID" } ": " code { "email" } " and " code { "xms_edov" }
            ". Without the latter no account that exists is connected by its address."
        }
    }
}

fn okta(connection: &SsoConnection) -> Markup {
    html! {
        li {
            "In the Okta admin console open " em { "Applications › Create App Integration" } ": " strong { "OIDC - OpenID Connect" } ", "
            strong { "Web Application" } ", grant type " strong { "Authorization Code" } " alone."
        }
        li { "Enter this under " em { "Sign-in redirect URIs" } ":" (return_url(connection)) }
        li { "Say under " em { "Assignments" } " whom you want to let in." }
        li { "Set " em { "Sign On › OpenID Connect ID Token › Issuer" } " to " strong { "Okta URL" } "; note the " em { "Client ID" } " and the " em { "Client secret" } "." }
    }
}

fn oidc(connection: &SsoConnection) -> Markup {
    let logout = connection.return_url.strip_suffix("callback");
    html! {
        li { "Register a confidential web client for the authorization code flow. ID tokens have to be signed by RS256, PS256, ES256 or EdDSA." }
        li { "Enter this as its redirect URI:" (return_url(connection)) }
        @if let Some(base) = logout {
            li {
                "If it knows back-channel logout, sessions end here when people sign out there. Its address is:"
                (copyable("logout-url", &format!("{base}backchannel-logout"), "the address for back-channel logout"))
            }
        }
        li { "Note the issuer, the client id and its secret." }
    }
}

fn saml(connection: &SsoConnection) -> Markup {
    let metadata = connection.metadata_url.as_deref().unwrap_or_default();
    html! {
        li { "Make an application for SAML 2.0 there. Its single sign-on URL, also called ACS or Reply URL, is:" (copyable("return-url", &connection.return_url, "the ACS URL")) }
        li {
            "Its entity id, also called Audience URI or Identifier, is:" (copyable("entity-id", metadata, "the entity id"))
            "Our metadata is at the same address once the connection is saved, for providers that take metadata."
        }
        li {
            "NameID: " strong { "persistent" } ", with an id that nobody else will ever have. Signature: " strong { "RSA-SHA256" }
            ", of the response, the assertion or both. Encryption of assertions: " strong { "off" } "."
        }
        li { "Send the address as the attribute " code { "email" } ", the name as " code { "displayName" } ", and groups as " code { "groups" } "." }
        li { "Copy the address of its metadata, or download the document." }
    }
}
