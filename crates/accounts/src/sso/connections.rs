//! Connections of workspaces: made, changed, tried and removed.

use tigertrust_credentials::{Token, TokenKind};
use tigertrust_model::{ConnectionId, ConnectionRef, Role, WorkspaceId};

use super::{
    connection::{Connection, ProviderSettings, SamlConnection, ServerScope, SsoPolicy, StoredConnection},
    error::SsoError,
    flows::{ConfiguredConnection, OpenedProvider, SsoFlows},
    provider::{
        OidcPreset, OidcSettings, ProviderError, SamlAttributes, SamlIdentityProvider, SamlSigningKey,
    },
};
use crate::{Actor, FlowError, SignInError, sign_in::ensure_fresh, users::MAX_NAME, validation::Validation};

const MAX_SLUG: usize = 40;
const MAX_LIST: usize = 50;
const MAX_TEXT: usize = 300;
const MAX_URL: usize = 1_000;
const MAX_SECRET: usize = 2_000;
/// The slugs that stand for something else in addresses.
const RESERVED: [&str; 3] = ["google", "azure", "okta"];

/// Where a SAML provider's metadata comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataSource {
    /// The document.
    Document(String),
    /// Where it is published.
    Url(String),
}

/// How a SAML provider is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSaml {
    /// Its metadata.
    pub metadata: MetadataSource,
    /// Which provider of the metadata is meant; needed where it describes several.
    pub entity_id: Option<String>,
    /// The attributes.
    pub attributes: SamlAttributes,
    /// Whether a response is accepted that answers no request.
    pub allows_unsolicited: bool,
    /// Whether requests are signed.
    pub signs_requests: bool,
}

/// How a provider is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewProvider {
    /// By OpenID Connect. In a change, no client secret means the present one.
    Oidc(OidcSettings),
    /// By SAML.
    Saml(NewSaml),
}

/// A connection that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConnection {
    /// What is to stand for it in addresses.
    pub slug: String,
    /// What people are shown.
    pub name: String,
    /// How the provider is asked.
    pub provider: NewProvider,
    /// What its word is worth.
    pub policy: SsoPolicy,
}

/// What is to be another way with a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionChanges {
    /// The name.
    pub name: Option<String>,
    /// Whether anybody can sign in by it.
    pub enabled: Option<bool>,
    /// How the provider is asked.
    pub provider: Option<NewProvider>,
    /// What its word is worth.
    pub policy: Option<SsoPolicy>,
}

/// What is known of a provider once it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// Whether it would do.
    pub ok: bool,
    /// What is wrong, or what is about to be, in sentences.
    pub findings: Vec<String>,
}

impl SsoFlows {
    /// The connections of a workspace, newest first.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for a workspace that the actor does not act in, and [`FlowError::Store`].
    pub async fn list(&self, actor: &Actor, workspace: WorkspaceId) -> Result<Vec<Connection>, SsoError> {
        actor.acts_in(workspace)?;
        let stored = self.0.store.list_connections(workspace).await?;
        Ok(stored.into_iter().map(|stored| stored.connection).collect())
    }

    /// A connection of a workspace.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn get(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: ConnectionId,
    ) -> Result<Connection, SsoError> {
        Ok(self.stored(actor, workspace, id).await?.connection)
    }

    /// Makes a connection. Metadata of a SAML provider is fetched if it is given by its address.
    ///
    /// # Errors
    /// [`FlowError::Invalid`], [`SsoError::Provider`], [`Conflict::SlugTaken`](crate::Conflict::SlugTaken), and others.
    pub async fn create(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        new: NewConnection,
    ) -> Result<Connection, SsoError> {
        self.ensure_may(actor, workspace)?;
        let mut validation = Validation::default();
        check_slug(&mut validation, &new.slug);
        check_name(&mut validation, &new.name);
        check_policy(&mut validation, "", &new.policy);
        check_provider(&mut validation, &new.provider);
        validation.finish()?;
        let now = self.0.clock.now();
        let id = ConnectionRef::Stored(ConnectionId::new(now, &*self.0.random)?);
        let (provider, secret) = self.provider(new.provider, &new.slug, None).await?;
        let secret = secret.map(|secret| self.seal(&id, &secret)).transpose()?;
        let connection = Connection {
            id,
            workspace: Some(workspace),
            slug: new.slug,
            name: new.name,
            enabled: true,
            provider,
            policy: new.policy,
            server: ServerScope::default(),
            has_scim: false,
            created_by: actor.creator(),
            created_at: now,
            updated_at: now,
        };
        let stored = StoredConnection {
            connection: connection.clone(),
            secret,
        };
        self.0
            .store
            .insert_connection(actor.act(), stored, by(actor))
            .await?;
        Ok(connection)
    }

    /// Changes a connection.
    ///
    /// # Errors
    /// As [`create`](Self::create), and [`Conflict::ConnectionEnforced`](crate::Conflict::ConnectionEnforced) where it is
    /// switched off while a domain has to sign in by it.
    pub async fn update(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: ConnectionId,
        changes: ConnectionChanges,
    ) -> Result<Connection, SsoError> {
        self.ensure_may(actor, workspace)?;
        let before = self.stored(actor, workspace, id).await?;
        let mut validation = Validation::default();
        if let Some(name) = &changes.name {
            check_name(&mut validation, name);
        }
        if let Some(policy) = &changes.policy {
            check_policy(&mut validation, "/policy", policy);
        }
        if let Some(provider) = &changes.provider {
            check_provider(&mut validation, provider);
            let is_other = !matches!(
                (provider, &before.connection.provider),
                (NewProvider::Oidc(_), ProviderSettings::Oidc(_))
                    | (NewProvider::Saml(_), ProviderSettings::Saml(_))
            );
            if is_other {
                validation.refuse("", "must be of the protocol that the connection was made with");
            }
        }
        if let (Some(NewProvider::Oidc(oidc)), ProviderSettings::Oidc(present)) =
            (&changes.provider, &before.connection.provider)
        {
            let is_same = oidc.issuer == present.issuer && oidc.client_id == present.client_id;
            if !is_same && oidc.client_secret.is_none() && before.secret.is_some() {
                let detail =
                    "is asked for with another issuer or client id: the present one is not sent elsewhere";
                validation.refuse("/oidc/clientSecret", detail);
            }
        }
        validation.finish()?;
        let replaced = match changes.provider {
            None => None,
            Some(provider) => {
                // What requests are signed with is known to the provider, and stays.
                let kept = match &before.connection.provider {
                    ProviderSettings::Saml(saml) => saml.signing_certificate.clone(),
                    ProviderSettings::Oidc(_) => None,
                };
                let (provider, secret) = self.provider(provider, &before.connection.slug, kept).await?;
                let secret = secret.map(|secret| self.seal(&before.connection.id, &secret));
                Some((provider, secret.transpose()?))
            }
        };
        let now = self.0.clock.now();
        let (name, enabled, policy) = (changes.name, changes.enabled, changes.policy);
        let edit = Box::new(move |stored: &mut StoredConnection| {
            let connection = &mut stored.connection;
            if let Some(name) = name {
                connection.name = name;
            }
            if let Some(enabled) = enabled {
                connection.enabled = enabled;
            }
            if let Some(policy) = policy {
                connection.policy = policy;
            }
            if let Some((provider, secret)) = replaced {
                let keeps_secret = secret.is_none()
                    && match &provider {
                        ProviderSettings::Oidc(_) => true,
                        ProviderSettings::Saml(saml) => saml.signing_certificate.is_some(),
                    };
                connection.provider = provider;
                if !keeps_secret {
                    stored.secret = secret;
                }
            }
            connection.updated_at = now;
            Ok(())
        });
        let store = &self.0.store;
        let stored = store
            .edit_connection(actor.act(), workspace, id, by(actor), edit)
            .await?;
        Ok(stored.connection)
    }

    /// Removes a connection. Its people cannot come in by it any more, and the sessions that were begun by it end; their accounts
    /// and memberships stay.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`Conflict::ConnectionEnforced`](crate::Conflict::ConnectionEnforced), and others.
    pub async fn remove(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: ConnectionId,
    ) -> Result<(), SsoError> {
        self.ensure_may(actor, workspace)?;
        Ok(self
            .0
            .store
            .remove_connection(actor.act(), workspace, id, by(actor))
            .await?)
    }

    /// Asks the provider, as far as that can be done without a person: whether it answers, and whether its certificates are about to end.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] and others. What is wrong with the provider is in the report.
    pub async fn probe(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: ConnectionId,
    ) -> Result<ProbeReport, SsoError> {
        let opened = self.open_stored(self.stored(actor, workspace, id).await?)?;
        let mut findings = Vec::new();
        let mut ok = true;
        match &opened.provider {
            OpenedProvider::Oidc(settings) => {
                if let Err(error) = self.0.oidc.probe(settings).await {
                    ok = false;
                    findings.push(error.to_string());
                }
            }
            OpenedProvider::Saml(settings, saml) => {
                if let Some(url) = &saml.metadata_url {
                    let read = self.fetch_metadata(url, Some(&settings.provider.entity_id)).await;
                    match read {
                        Ok(now) if now == settings.provider => {}
                        Ok(_) => findings.push(
                            "the provider publishes other metadata than is kept here: fetch it anew"
                                .to_owned(),
                        ),
                        Err(error) => {
                            ok = false;
                            findings.push(in_words(&error));
                        }
                    }
                }
                findings.extend(self.expiring(&settings.provider));
            }
        }
        if !opened.connection.enabled {
            findings.push("nobody can sign in by the connection: it is not enabled".to_owned());
        }
        Ok(ProbeReport { ok, findings })
    }

    /// Fetches a SAML provider's metadata anew from where it is published.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] where it was given as a document, and as [`create`](Self::create).
    pub async fn refresh_metadata(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: ConnectionId,
    ) -> Result<Connection, SsoError> {
        self.ensure_may(actor, workspace)?;
        let before = self.stored(actor, workspace, id).await?;
        let (url, entity_id) = match &before.connection.provider {
            ProviderSettings::Saml(SamlConnection {
                provider,
                metadata_url: Some(url),
                ..
            }) => (url.clone(), provider.entity_id.clone()),
            _ => {
                let detail = "its metadata is not published at an address that is known here";
                return Err(FlowError::invalid("", detail).into());
            }
        };
        let fetched = self.fetch_metadata(&url, Some(&entity_id)).await?;
        let now = self.0.clock.now();
        let edit = Box::new(move |stored: &mut StoredConnection| {
            if let ProviderSettings::Saml(saml) = &mut stored.connection.provider {
                saml.provider = fetched;
                stored.connection.updated_at = now;
            }
            Ok(())
        });
        let store = &self.0.store;
        let stored = store
            .edit_connection(actor.act(), workspace, id, by(actor), edit)
            .await?;
        Ok(stored.connection)
    }

    /// Makes a token by which the provider writes people (SCIM); an earlier one is dead.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] and others.
    pub async fn new_scim_token(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: ConnectionId,
    ) -> Result<Token, SsoError> {
        self.ensure_may(actor, workspace)?;
        let token = Token::generate(TokenKind::Scim, &*self.0.random)?;
        let store = &self.0.store;
        store
            .set_scim_token(actor.act(), workspace, id, Some(token.digest()), by(actor))
            .await?;
        Ok(token)
    }

    /// Takes that token away.
    ///
    /// # Errors
    /// As [`new_scim_token`](Self::new_scim_token).
    pub async fn remove_scim_token(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: ConnectionId,
    ) -> Result<(), SsoError> {
        self.ensure_may(actor, workspace)?;
        let store = &self.0.store;
        Ok(store
            .set_scim_token(actor.act(), workspace, id, None, by(actor))
            .await?)
    }

    /// Whoever says who the provider is says who everybody is: a person needs a fresh proof for it.
    pub(super) fn ensure_may(&self, actor: &Actor, workspace: WorkspaceId) -> Result<(), SsoError> {
        actor.acts_in(workspace)?;
        if let Some(person) = actor.signed_in_person() {
            ensure_fresh(person, &*self.0.clock)?;
        }
        Ok(())
    }

    async fn stored(
        &self,
        actor: &Actor,
        workspace: WorkspaceId,
        id: ConnectionId,
    ) -> Result<StoredConnection, SsoError> {
        actor.acts_in(workspace)?;
        let stored = self.0.store.get_connection(workspace, id).await?;
        Ok(stored.ok_or(FlowError::NotFound)?)
    }

    /// The provider as it is stored, and its secret.
    async fn provider(
        &self,
        new: NewProvider,
        slug: &str,
        kept_certificate: Option<Vec<u8>>,
    ) -> Result<(ProviderSettings, Option<zeroize::Zeroizing<Vec<u8>>>), SsoError> {
        match new {
            NewProvider::Oidc(mut oidc) => {
                let secret = oidc.client_secret.take();
                let secret =
                    secret.map(|secret| zeroize::Zeroizing::new(secret.expose().as_bytes().to_vec()));
                Ok((ProviderSettings::Oidc(oidc), secret))
            }
            NewProvider::Saml(saml) => {
                let entity_id = saml.entity_id.as_deref();
                let (provider, metadata_url) = match saml.metadata {
                    MetadataSource::Document(document) => {
                        let read = self.0.saml.read_metadata(document.as_bytes(), entity_id);
                        (read.map_err(unsuitable)?, None)
                    }
                    MetadataSource::Url(url) => (self.fetch_metadata(&url, entity_id).await?, Some(url)),
                };
                let kept = kept_certificate.filter(|_| saml.signs_requests);
                let key = (saml.signs_requests && kept.is_none()).then(|| {
                    let parts = &*self.0;
                    parts
                        .saml
                        .new_signing_key(slug, &*parts.random, parts.clock.now())
                });
                let (secret, signing_certificate) = match key.transpose()? {
                    Some(SamlSigningKey { pkcs8, certificate }) => (Some(pkcs8), Some(certificate)),
                    None => (None, kept),
                };
                let settings = SamlConnection {
                    provider,
                    metadata_url,
                    attributes: saml.attributes,
                    allows_unsolicited: saml.allows_unsolicited,
                    signing_certificate,
                };
                Ok((ProviderSettings::Saml(settings), secret))
            }
        }
    }

    async fn fetch_metadata(
        &self,
        url: &str,
        entity_id: Option<&str>,
    ) -> Result<SamlIdentityProvider, SsoError> {
        let document = self.0.documents.fetch(url).await.map_err(unsuitable)?;
        let read = self.0.saml.read_metadata(&document, entity_id);
        Ok(read.map_err(unsuitable)?)
    }

    /// What is to be said of certificates that have ended, or will within a month. They are taken all the same: the key counts.
    #[must_use]
    pub fn expiring(&self, provider: &SamlIdentityProvider) -> Vec<String> {
        const SOON: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 60 * 60);
        let now = self.0.clock.now();
        provider
            .certificates
            .iter()
            .filter(|certificate| certificate.not_after <= now.saturating_add(SOON))
            .map(|certificate| {
                let verb = if certificate.not_after <= now {
                    "has ended"
                } else {
                    "ends within 30 days"
                };
                format!("the provider's certificate {} {verb}", certificate.fingerprint)
            })
            .collect()
    }
}

/// What is wrong with a provider that somebody names.
fn unsuitable(error: ProviderError) -> FlowError {
    FlowError::invalid("/saml", error.to_string())
}

/// The same in a report.
fn in_words(error: &SsoError) -> String {
    match error {
        SsoError::SignIn(SignInError::Flow(FlowError::Invalid(violations))) => {
            let details = violations.iter().map(|violation| violation.detail.as_str());
            details.collect::<Vec<_>>().join("; ")
        }
        error => error.to_string(),
    }
}

impl ConfiguredConnection {
    /// Whether it is as a connection of a workspace has to be: what is wrong is told by its place in the request that would make one.
    ///
    /// # Errors
    /// [`FlowError::Invalid`].
    pub fn check(&self) -> Result<(), FlowError> {
        let connection = &self.connection;
        let mut validation = Validation::default();
        if connection
            .preset()
            .is_none_or(|preset| preset == OidcPreset::Custom)
        {
            check_slug(&mut validation, &connection.slug);
        }
        check_name(&mut validation, &connection.name);
        check_policy(&mut validation, "", &connection.policy);
        match &connection.provider {
            ProviderSettings::Oidc(oidc) => check_oidc(&mut validation, oidc),
            ProviderSettings::Saml(saml) => check_attributes(&mut validation, &saml.attributes),
        }
        validation.finish()
    }
}

/// Whose word has to count when it is stored: the operator's always does.
pub(super) fn by(actor: &Actor) -> Option<tigertrust_model::Creator> {
    if actor.is_of_instance() {
        return None;
    }
    Some(match actor.person() {
        Some(person) => tigertrust_model::Creator::User(person),
        None => actor.creator(),
    })
}

fn check_slug(validation: &mut Validation, slug: &str) {
    let shaped = (2..=MAX_SLUG).contains(&slug.len())
        && slug
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !slug.starts_with('-')
        && !slug.ends_with('-');
    if !shaped {
        validation.refuse(
            "/slug",
            format!(
                "must have 2 to {MAX_SLUG} small letters, digits and hyphens, and no hyphen at either end"
            ),
        );
    } else if RESERVED.contains(&slug) {
        validation.refuse(
            "/slug",
            "stands for a provider of the whole server: choose another one",
        );
    }
}

fn check_name(validation: &mut Validation, name: &str) {
    validation.line("/name", name, MAX_NAME);
}

/// `at` is where the policy stands in the body.
fn check_policy(validation: &mut Validation, at: &str, policy: &SsoPolicy) {
    const NO_OWNERS: &str = "must be admin, member or viewer: owners are made by owners";
    if policy.default_role == Some(Role::Owner) {
        validation.refuse(format!("{at}/defaultRole"), NO_OWNERS);
    }
    if policy.group_roles.len() > MAX_LIST {
        validation.refuse(
            format!("{at}/groupRoles"),
            format!("must have {MAX_LIST} entries or fewer"),
        );
    }
    for (index, rule) in policy.group_roles.iter().enumerate() {
        validation.line(&format!("{at}/groupRoles/{index}/group"), &rule.group, MAX_TEXT);
        if rule.role == Role::Owner {
            validation.refuse(format!("{at}/groupRoles/{index}/role"), NO_OWNERS);
        }
    }
}

fn check_provider(validation: &mut Validation, provider: &NewProvider) {
    match provider {
        NewProvider::Oidc(oidc) => check_oidc(validation, oidc),
        NewProvider::Saml(saml) => {
            if let MetadataSource::Url(url) = &saml.metadata {
                check_url(validation, "/saml/metadataUrl", url);
            }
            if let Some(entity_id) = &saml.entity_id {
                validation.line("/saml/entityId", entity_id, MAX_TEXT);
            }
            check_attributes(validation, &saml.attributes);
        }
    }
}

fn check_attributes(validation: &mut Validation, attributes: &SamlAttributes) {
    for (pointer, text) in [
        ("/saml/attributes/subject", &attributes.subject),
        ("/saml/attributes/email", &attributes.email),
        ("/saml/attributes/name", &attributes.name),
        ("/saml/attributes/groups", &attributes.groups),
    ] {
        if let Some(text) = text {
            validation.line(pointer, text, MAX_TEXT);
        }
    }
}

fn check_oidc(validation: &mut Validation, oidc: &OidcSettings) {
    check_url(validation, "/oidc/issuer", &oidc.issuer);
    validation.line("/oidc/clientId", &oidc.client_id, MAX_TEXT);
    if let Some(secret) = &oidc.client_secret {
        let length = secret.expose().len();
        let is_text = secret.expose().bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !(1..=MAX_SECRET).contains(&length) || !is_text {
            validation.refuse(
                "/oidc/clientSecret",
                format!("must have 1 to {MAX_SECRET} characters of ASCII"),
            );
        }
    }
    for (pointer, list) in [
        ("/oidc/scopes", &oidc.scopes),
        ("/oidc/allowedDomains", &oidc.allowed_domains),
        ("/oidc/tenants", &oidc.tenants),
    ] {
        if list.len() > MAX_LIST {
            validation.refuse(pointer, format!("must have {MAX_LIST} entries or fewer"));
        }
        for (index, text) in list.iter().enumerate() {
            let is_word = (1..=MAX_TEXT).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
            if !is_word {
                validation.refuse(format!("{pointer}/{index}"), "must be one word of visible ASCII");
            }
        }
    }
    if let Some(claim) = &oidc.groups_claim {
        validation.line("/oidc/groupsClaim", claim, MAX_TEXT);
    }
    let is_shared = ["/common/", "/organizations/"]
        .iter()
        .any(|part| oidc.issuer.contains(part));
    if oidc.preset == OidcPreset::Azure && is_shared && oidc.tenants.is_empty() {
        validation.refuse(
            "/oidc/tenants",
            "is asked for with this issuer: anybody who has a tenant could sign in otherwise",
        );
    }
}

fn check_url(validation: &mut Validation, pointer: &str, url: &str) {
    validation.no_credential(pointer, url);
    let is_url = url.len() <= MAX_URL
        && (url.starts_with("https://") || url.starts_with("http://"))
        && url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"\\<>@".contains(&byte));
    if !is_url {
        validation.refuse(
            pointer,
            format!("must be a URL that begins with https://, of at most {MAX_URL} characters and without a password"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_fit_for_an_address() {
        for (slug, good) in [
            ("acme", true),
            ("acme-2", true),
            ("a", false),
            ("Acme", false),
            ("-acme", false),
            ("acme-", false),
            ("ac/me", false),
            ("google", false),
            (&"a".repeat(41), false),
        ] {
            let mut validation = Validation::default();
            check_slug(&mut validation, slug);
            assert_eq!(validation.finish().is_ok(), good, "{slug}");
        }
    }

    #[test]
    fn a_url_is_one_and_holds_no_password() {
        for (url, good) in [
            ("https://idp.example/a?b=c", true),
            ("http://127.0.0.1:9/x", true),
            ("ftp://idp.example", false),
            ("https://jo:secret@idp.example", false),
            ("https://idp.example/ x", false),
            ("https://idp.example/\nx", false),
        ] {
            let mut validation = Validation::default();
            check_url(&mut validation, "/url", url);
            assert_eq!(validation.finish().is_ok(), good, "{url}");
        }
    }
}
