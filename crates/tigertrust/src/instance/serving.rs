//! The HTTP API over an instance, and what belongs to it without HTTP.

use std::sync::Arc;

use tigertrust_accounts::{
    SignInFlows, SignInParts,
    trust_rules::{JobTokens, TrustRuleFlows, TrustRuleParts},
};
use tigertrust_credentials::{HashingPool, SessionAdmission};
use tigertrust_passkeys::WebAuthn;

use super::TigerTrust;
use crate::server::{App, AppError, AppSettings, Metrics, Parts};
#[cfg(feature = "sso")]
use crate::sso::SsoFlows;

impl TigerTrust {
    /// The figures of this instance and of the HTTP API over it, to add others to, and to be served with
    /// [`serve_metrics`](crate::server::serve_metrics).
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Ends the streams of those who follow the changes: to be called before a server is told to stop, which waits for its
    /// answers to end.
    pub fn end_streams(&self) {
        self.0.recent.close();
    }

    /// The whole HTTP API over this instance, to be mounted with [`configure`](crate::server::configure) or served with
    /// [`serve`](crate::server::serve).
    ///
    /// # Errors
    /// [`AppError`](crate::server::AppError).
    pub fn app(&self, settings: AppSettings) -> Result<App, AppError> {
        let foundation = &self.0.foundation;
        // The first application tells which secrets are in use: another one over the same instance has no others.
        self.0.presence.app.get_or_init(|| crate::presence::AppRings {
            encryption: settings.encryption.clone(),
            signing: settings.tokens.as_ref().map(|tokens| tokens.ring.clone()),
        });
        let (clock, random) = (&foundation.clock, &foundation.random);
        let mut instance = [0; 8];
        random.fill(&mut instance)?;
        let idle_timeout = settings.sessions.idle_timeout;
        let limits = Arc::clone(&self.0.ledger.limits);
        let sessions =
            SessionAdmission::new(self.0.storage.sessions(), Arc::clone(clock), limits, idle_timeout);
        let sign_in = self.sign_in(&settings)?;
        #[cfg(feature = "sso")]
        let sso = self.sso_with(&settings, &sign_in)?;
        #[cfg(not(feature = "sso"))]
        let sso = None;
        Ok(App::new(Parts {
            sso,
            webhooks: self.0.webhooks.clone(),
            trust_rules: self.trust_rules(&settings)?,
            admission: Arc::clone(&self.0.admission),
            keys: self.0.keys.clone(),
            workspaces: self.0.workspaces.clone(),
            sign_in,
            sessions,
            members: self.0.members.clone(),
            invitations: self.0.invitations.clone(),
            profiles: self.0.profiles.clone(),
            audit: self.0.audit.clone(),
            refusals: self.0.refusals.clone(),
            usage: self.0.usage.clone(),
            hygiene: self.0.hygiene.clone(),
            catalog: Arc::clone(&foundation.catalog),
            tracker: Arc::clone(&self.0.tracker),
            clock: Arc::clone(&foundation.clock),
            random: Arc::clone(random),
            recent: Arc::clone(&self.0.recent),
            log: self.0.storage.changes(),
            metrics: self.0.metrics.clone(),
            settings,
            instance,
        }))
    }

    /// Trust rules of keys without HTTP. Built without `sso`, nothing verifies the tokens of jobs: rules can be listed and removed,
    /// and none made.
    ///
    /// # Errors
    /// [`AppError`](crate::server::AppError).
    pub fn trust_rules(&self, settings: &AppSettings) -> Result<TrustRuleFlows, AppError> {
        let foundation = &self.0.foundation;
        Ok(TrustRuleFlows::new(TrustRuleParts {
            store: self.0.storage.trust_rules(),
            credentials: self.0.storage.credentials(),
            tokens: self.job_tokens(settings)?,
            refusals: self.0.refusals.clone(),
            clock: Arc::clone(&foundation.clock),
            random: Arc::clone(&foundation.random),
        }))
    }

    #[cfg(not(feature = "sso"))]
    #[allow(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "with sso there is one, or an error"
    )]
    const fn job_tokens(&self, _: &AppSettings) -> Result<Option<Arc<dyn JobTokens>>, AppError> {
        Ok(None)
    }

    fn sign_in(&self, settings: &AppSettings) -> Result<SignInFlows, AppError> {
        let foundation = &self.0.foundation;
        let (clock, random) = (&foundation.clock, &foundation.random);
        Ok(SignInFlows::new(SignInParts {
            store: self.0.storage.sign_ins(),
            links: self.0.storage.mail_tokens(),
            notifier: Arc::clone(&self.0.notifier),
            passkeys: self.0.storage.passkeys(),
            relying_party: Arc::new(WebAuthn::new(&settings.relying_party)?),
            hashing: HashingPool::start(
                settings.hashing,
                foundation.hasher.clone(),
                Arc::clone(clock),
                Arc::clone(random),
            )?,
            encryption: settings.encryption.clone(),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            refusals: self.0.refusals.clone(),
            sessions: settings.sessions,
            issuer: settings.issuer.clone(),
        }))
    }
}

#[cfg(feature = "sso")]
impl TigerTrust {
    /// Single sign-on without HTTP, to manage connections and domains of workspaces; `None` where the settings have none. What is
    /// changed counts at once for every server over the database.
    ///
    /// # Errors
    /// [`AppError`](crate::server::AppError).
    pub fn sso(&self, settings: &AppSettings) -> Result<Option<SsoFlows>, AppError> {
        self.sso_with(settings, &self.sign_in(settings)?)
    }

    fn job_tokens(&self, settings: &AppSettings) -> Result<Option<Arc<dyn JobTokens>>, AppError> {
        let clock = Arc::clone(&self.0.foundation.clock);
        let verifier = tigertrust_sso::oidc::JobTokenVerifier::new(provider_http(settings)?, clock);
        Ok(Some(Arc::new(verifier)))
    }

    fn sso_with(&self, settings: &AppSettings, sign_in: &SignInFlows) -> Result<Option<SsoFlows>, AppError> {
        use tigertrust_accounts::sso::SsoParts;
        use tigertrust_sso::{dns::Dns, oidc::RelyingParty, saml::ServiceProvider};

        let Some(sso) = &settings.sso else {
            return Ok(None);
        };
        let foundation = &self.0.foundation;
        let http = provider_http(settings)?;
        Ok(Some(SsoFlows::new(SsoParts {
            store: self.0.storage.sso(),
            oidc: Arc::new(RelyingParty::new(http.clone(), Arc::clone(&foundation.clock))),
            saml: Arc::new(ServiceProvider),
            documents: Arc::new(http),
            records: Arc::new(Dns::from_system()),
            sign_in: sign_in.clone(),
            encryption: settings.encryption.clone(),
            clock: Arc::clone(&foundation.clock),
            random: Arc::clone(&foundation.random),
            public_url: sso.public_url.clone(),
            return_origins: sso.return_origins.clone(),
            configured: sso.connections.clone(),
        })))
    }
}

/// The client for what providers and issuers publish: whoever names their addresses may be a stranger.
#[cfg(feature = "sso")]
fn provider_http(settings: &AppSettings) -> Result<tigertrust_sso::http::ProviderHttp, AppError> {
    use tigertrust_sso::http::{ProviderHttp, ProviderHttpSettings};

    let sso = settings.sso.as_ref();
    let allows_private = sso.is_some_and(|sso| sso.allows_private_addresses);
    Ok(ProviderHttp::new(ProviderHttpSettings {
        allow_private: allows_private,
        allow_loopback: allows_private,
        traceparent: settings.traces.map(|traces| traces.current),
        ..ProviderHttpSettings::default()
    })?)
}
