//! Signing in by a provider: there and back.

use std::{fmt, time::Duration};

use sha2::{Digest, Sha256};
use tigertrust_credentials::{PersonPermit, Token, TokenDigest, TokenKind};
use tigertrust_model::{Email, IdentityId, Origin, SessionId, Timestamp, User, UserId};
use zeroize::Zeroizing;

use super::{
    connection::{Connection, Protocol},
    error::SsoError,
    flows::{Opened, OpenedProvider, SsoFlows},
    identity::VerifiedIdentity,
    ports::{AddressCounts, Arrival, Arrived, ReplayId, SsoRequest, TakenOnce},
    provider::{OidcCallback, OidcPreset, OidcRequest},
};
use crate::{
    BegunSession, From, SecondFactorMethods,
    sign_in::{Attempt, Budgets, ensure_fresh},
    to_hex,
    users::MAX_NAME,
};

/// How long the browser may be away.
const REQUEST_LIVES: Duration = Duration::from_secs(10 * 60);
/// Where people go on to who did not say where.
const HOME: &str = "/";
const MAX_RETURN_TO: usize = 2_000;

/// By which address a sign-in is asked for: it names the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SsoRoute<'a> {
    /// `/api/auth/google` and the like: a connection of the whole server.
    Preset(OidcPreset),
    /// `/api/auth/oidc/{slug}` and `/api/auth/saml/{slug}`.
    Named(Protocol, &'a str),
}

/// A sign-in that has begun.
pub struct BegunSso {
    /// Where to send the browser.
    pub redirect: String,
    /// What stays in the browser, and has to come back from it.
    pub browser: Token,
    /// Of the token that travels: what tells several sign-ins of one browser apart.
    pub state: TokenDigest,
    /// By what protocol it comes back.
    pub protocol: Protocol,
}

/// What the browser has brought back.
pub struct SsoReturn<'a> {
    /// By which address it came.
    pub route: SsoRoute<'a>,
    /// What has travelled: `state`, or `RelayState`.
    pub state: Option<&'a str>,
    /// What has stayed in the browser: all that could be it.
    pub browsers: Vec<Zeroizing<String>>,
    /// What the provider says.
    pub answer: SsoAnswer<'a>,
    /// Where the request comes from.
    pub from: From,
}

/// What a provider says.
pub enum SsoAnswer<'a> {
    /// A code to redeem, and who says that it sent the browser.
    Code {
        /// The code.
        code: &'a str,
        /// RFC 9207.
        issuer: Option<&'a str>,
    },
    /// That it refuses (RFC 6749 §4.1.2.1).
    Error(&'a str),
    /// A SAML response, as the form brought it.
    Response(&'a str),
}

/// What came of it.
#[derive(Debug)]
pub enum SsoSignedIn {
    /// The person is signed in.
    Session {
        /// The session.
        begun: Box<BegunSession>,
        /// Where the person goes on.
        return_to: String,
    },
    /// A second factor is asked for.
    SecondFactor {
        /// What the second step is asked with.
        token: Token,
        /// What will do.
        methods: SecondFactorMethods,
        /// Where the person goes on then.
        return_to: String,
    },
    /// The identity is connected with the account.
    Linked {
        /// Whose.
        user: UserId,
        /// Where the person goes on.
        return_to: String,
    },
}

/// How people of a domain sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Whether a password will do.
    pub password: bool,
    /// Where signing in begins otherwise.
    pub sso_path: Option<String>,
}

impl SsoFlows {
    /// How people of an address's domain sign in: by what is verified, whoever has an account.
    ///
    /// # Errors
    /// [`SsoError`].
    pub async fn discover(&self, email: &str) -> Result<Discovery, SsoError> {
        let domain = email.parse::<Email>().ok().map(|email| email.domain());
        let found = match domain {
            Some(domain) => self.0.store.domain_sign_in(&domain).await?,
            None => None,
        };
        Ok(Discovery {
            password: !found.as_ref().is_some_and(|found| found.enforced),
            sso_path: found.map(|found| found.connection.connection.path()),
        })
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// [`SsoError`].
    pub async fn begin(
        &self,
        route: SsoRoute<'_>,
        return_to: Option<&str>,
        login_hint: Option<&str>,
        origin: &Origin,
    ) -> Result<BegunSso, SsoError> {
        self.begin_for(route, return_to, login_hint, origin, None).await
    }

    /// Begins to connect an identity with the account of somebody who is signed in.
    ///
    /// # Errors
    /// [`SsoError`]; it needs a fresh proof.
    pub async fn begin_link(
        &self,
        person: &PersonPermit,
        route: SsoRoute<'_>,
        return_to: Option<&str>,
        origin: &Origin,
    ) -> Result<BegunSso, SsoError> {
        ensure_fresh(person, &*self.0.clock)?;
        let (hint, link) = (person.user().email.as_str(), person.session().id);
        self.begin_for(route, return_to, Some(hint), origin, Some(link))
            .await
    }

    async fn begin_for(
        &self,
        route: SsoRoute<'_>,
        return_to: Option<&str>,
        login_hint: Option<&str>,
        origin: &Origin,
        link: Option<SessionId>,
    ) -> Result<BegunSso, SsoError> {
        let parts = &*self.0;
        let return_to = self.allowed_return(return_to.unwrap_or(HOME))?;
        let now = parts.clock.now();
        let opened = self.opened(route).await?;
        // Each of these leaves a row, and anybody may ask for it.
        let budgets = Budgets::of_starts(origin.address);
        parts.sign_in.spend(&budgets, now).await?;
        let state = Token::generate(TokenKind::SsoState, &*parts.random)?;
        let browser = Token::generate(TokenKind::SsoBrowser, &*parts.random)?;
        let bound = Bound::of(browser.reveal());
        let redirect = match &opened.provider {
            OpenedProvider::Oidc(settings) => {
                let mut request = self.oidc_request(&opened.connection, &bound);
                request.state = Zeroizing::new(state.reveal().to_owned());
                request.login_hint = login_hint
                    .and_then(|hint| hint.parse::<Email>().ok())
                    .map(|email| email.as_str().to_owned());
                parts.oidc.begin(settings, &request).await?
            }
            OpenedProvider::Saml(settings, _) => {
                parts
                    .saml
                    .begin(settings, &bound.request_id(), state.reveal(), now)?
            }
        };
        let request = SsoRequest {
            state: state.digest(),
            browser: browser.digest(),
            connection: opened.connection.id.clone(),
            return_to,
            link,
            expires_at: now.saturating_add(REQUEST_LIVES),
        };
        parts.store.keep_request(request).await?;
        Ok(BegunSso {
            redirect,
            browser,
            state: state.digest(),
            protocol: opened.connection.provider.protocol(),
        })
    }

    /// Takes what the browser has brought back, and lets its person in.
    ///
    /// # Errors
    /// [`SsoError`].
    pub async fn finish(&self, back: SsoReturn<'_>) -> Result<SsoSignedIn, SsoError> {
        let opened = self.opened(back.route).await?;
        let mut attempt = Attempt::new("sso", back.from.origin.clone());
        attempt.chain = opened.connection.workspace.into();
        let done = self.finish_with(back, &opened).await;
        // What never waited, anybody can send: that is no sign-in which was refused.
        if let Err(error) = &done
            && !matches!(error, SsoError::NothingWaits | SsoError::SignIn(_))
        {
            let connection = opened.connection.id.to_string();
            let sign_in = &self.0.sign_in;
            sign_in
                .log_provider_refusal(&attempt, &connection, error.to_string())
                .await;
        }
        done
    }

    async fn finish_with(&self, back: SsoReturn<'_>, opened: &Opened) -> Result<SsoSignedIn, SsoError> {
        let parts = &*self.0;
        let now = parts.clock.now();
        let waiting = self.waiting(&back, &opened.connection, now).await?;
        let (identity, taken) = match (&opened.provider, &back.answer, &waiting) {
            (OpenedProvider::Oidc(_), SsoAnswer::Error(code), _) => {
                return Err(SsoError::ProviderRefused(harmless(code)));
            }
            (OpenedProvider::Oidc(settings), SsoAnswer::Code { code, issuer }, Some((_, bound))) => {
                let request = self.oidc_request(&opened.connection, bound);
                let callback = OidcCallback {
                    code: Zeroizing::new((*code).to_owned()),
                    issuer: issuer.map(ToOwned::to_owned),
                };
                let identity = parts.oidc.finish(settings, &request, &callback, now).await?;
                (identity, TakenOnce::nothing(now))
            }
            (OpenedProvider::Saml(settings, saml), SsoAnswer::Response(response), waiting) => {
                let request_id = waiting.as_ref().map(|(_, bound)| bound.request_id());
                if request_id.is_none() && !saml.allows_unsolicited {
                    return Err(SsoError::NothingWaits);
                }
                let assertion = parts
                    .saml
                    .finish(settings, response, request_id.as_deref(), now)?;
                let taken = TakenOnce {
                    ids: assertion
                        .replay_ids
                        .iter()
                        .map(|id| replay_id(&opened.connection, id))
                        .collect(),
                    until: assertion.remembered_until,
                };
                (assertion.identity, taken)
            }
            _ => return Err(SsoError::NothingWaits),
        };
        let waiting = waiting.map(|(request, _)| request);
        self.arrive(opened, identity, taken, waiting, back.from).await
    }

    async fn arrive(
        &self,
        opened: &Opened,
        identity: VerifiedIdentity,
        taken: TakenOnce,
        waiting: Option<SsoRequest>,
        from: From,
    ) -> Result<SsoSignedIn, SsoError> {
        let parts = &*self.0;
        let now = parts.clock.now();
        let connection = &opened.connection;
        let link = waiting.as_ref().and_then(|request| request.link);
        let return_to = waiting.map_or_else(|| HOME.to_owned(), |request| request.return_to);
        let account = self.account(&identity, connection, now)?;
        let (begun, session) = parts.sign_in.provider_session(from.origin)?;
        let (challenge_token, challenge) = parts.sign_in.provider_challenge(now)?;
        let assigned = connection.policy.assign(&identity.groups);
        let joined = connection.workspace.or(connection.server.joins);
        let arrival = Arrival {
            connection: connection.id.clone(),
            workspace: connection.workspace,
            issuer: identity.issuer,
            subject: identity.subject,
            address_counts: address_counts(connection, account.as_ref()),
            account,
            email_verified: identity.email_verified,
            taken,
            link,
            membership: joined.map(|workspace| (workspace, assigned)),
            second_factor: identity.second_factor && connection.policy.trusts_second_factor,
            provider_session: identity.provider_session,
            identity: IdentityId::new(now, &*parts.random)?,
            device: from.device,
            session,
            challenge: (challenge_token.digest(), challenge),
        };
        match parts.store.arrive(arrival).await? {
            Arrived::Refused(why) => Err(why.into()),
            Arrived::Linked(user) => Ok(SsoSignedIn::Linked { user, return_to }),
            Arrived::SecondFactor(methods) => Ok(SsoSignedIn::SecondFactor {
                token: challenge_token,
                methods,
                return_to,
            }),
            Arrived::SignedIn(session) => Ok(SsoSignedIn::Session {
                begun: Box::new(BegunSession { session, ..begun }),
                return_to,
            }),
        }
    }

    /// The account as it would be made for the identity.
    fn account(
        &self,
        identity: &VerifiedIdentity,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<Option<User>, SsoError> {
        let email = identity
            .email
            .as_deref()
            .and_then(|email| email.parse::<Email>().ok());
        let Some(email) = email else {
            return Ok(None);
        };
        // Where people write their own addresses, nobody gets an account by somebody else's. Entra says nothing either way.
        let proved = identity.email_verified;
        if !proved && connection.preset() != Some(OidcPreset::Azure) {
            return Ok(None);
        }
        Ok(Some(User {
            id: UserId::new(now, &*self.0.random)?,
            email,
            email_verified_at: proved.then_some(now),
            name: identity.name.as_deref().and_then(shown_name),
            disabled_at: None,
            created_at: now,
        }))
    }

    /// The sign-in that waits for this browser, with what it is bound by. None for a response that answers nothing: with no
    /// state, or with one that is not ours.
    async fn waiting(
        &self,
        back: &SsoReturn<'_>,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<Option<(SsoRequest, Bound)>, SsoError> {
        let read = |kind, text: &str| TokenDigest::read(kind, text.as_bytes())?.ok();
        let Some(state) = back.state.and_then(|state| read(TokenKind::SsoState, state)) else {
            return Ok(None);
        };
        let browsers: Vec<(TokenDigest, &Zeroizing<String>)> = back
            .browsers
            .iter()
            .filter_map(|text| Some((read(TokenKind::SsoBrowser, text)?, text)))
            .collect();
        let digests = browsers.iter().map(|(digest, _)| *digest).collect();
        let request = self.0.store.take_request(state, digests).await?;
        let request = request.ok_or(SsoError::NothingWaits)?;
        if request.connection != connection.id || request.expires_at <= now {
            return Err(SsoError::NothingWaits);
        }
        let own = browsers
            .into_iter()
            .find(|(digest, _)| *digest == request.browser);
        let (_, text) = own.ok_or(SsoError::NothingWaits)?;
        Ok(Some((request, Bound(text.clone()))))
    }

    /// The connection that a route names, its secret open.
    pub(super) async fn opened(&self, route: SsoRoute<'_>) -> Result<Opened, SsoError> {
        let named = |connection: &Connection| match route {
            SsoRoute::Preset(preset) => connection.is_the_preset() && connection.preset() == Some(preset),
            SsoRoute::Named(protocol, slug) => {
                connection.provider.protocol() == protocol
                    && connection.slug == slug
                    && !connection.is_the_preset()
            }
        };
        let configured = self.0.configured.iter();
        if let Some(configured) = configured
            .filter(|configured| configured.connection.enabled)
            .find(|configured| named(&configured.connection))
        {
            return Ok(self.open_configured(configured));
        }
        let SsoRoute::Named(protocol, slug) = route else {
            return Err(SsoError::UnknownConnection);
        };
        let stored = self.0.store.connection_by_slug(slug).await?;
        let stored = stored
            .filter(|stored| stored.connection.enabled && stored.connection.provider.protocol() == protocol)
            .ok_or(SsoError::UnknownConnection)?;
        self.open_stored(stored)
    }

    fn oidc_request(&self, connection: &Connection, bound: &Bound) -> OidcRequest {
        OidcRequest {
            redirect_uri: self.address(connection, "callback"),
            state: Zeroizing::default(),
            nonce: bound.derive("nonce"),
            code_verifier: bound.derive("code-verifier"),
            login_hint: None,
        }
    }

    /// A path of our own, or an address of an origin that is allowed.
    fn allowed_return(&self, wanted: &str) -> Result<String, SsoError> {
        let is_harmless = wanted.len() <= MAX_RETURN_TO
            && wanted
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"\\\"<>".contains(&byte));
        // What begins with two slashes is another host's.
        let is_path = wanted.starts_with('/') && !wanted.starts_with("//");
        let is_of = |origin: &String| {
            let rest = wanted.strip_prefix(origin.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
        };
        let is_allowed = is_path || self.0.return_origins.iter().any(is_of);
        if is_harmless && is_allowed {
            Ok(wanted.to_owned())
        } else {
            Err(SsoError::ReturnTo)
        }
    }
}

/// What an address is worth that the connection's provider names.
fn address_counts(connection: &Connection, account: Option<&User>) -> AddressCounts {
    if let Some(workspace) = connection.workspace {
        return AddressCounts::InDomainsOf(workspace);
    }
    let domain = account.map(|account| account.email.domain());
    let spoken_for = domain.is_some_and(|domain| connection.server.domains.contains(&domain));
    if spoken_for {
        AddressCounts::Always
    } else {
        AddressCounts::WhereWelcome {
            or_as_new: connection.server.signs_up,
        }
    }
}

/// What a provider calls a person, if it may be shown.
fn shown_name(name: &str) -> Option<String> {
    let name: String = name
        .trim()
        .chars()
        .filter(|letter| !letter.is_control())
        .take(MAX_NAME)
        .collect();
    (!name.is_empty()).then_some(name)
}

/// The error code of a provider as it may stand in a log: RFC 6749 knows small letters and underscores.
fn harmless(code: &str) -> String {
    let is_code = |letter: &char| letter.is_ascii_lowercase() || *letter == '_';
    code.chars().filter(is_code).take(40).collect()
}

/// The digest of an id that is taken once: each connection has its own.
pub(super) fn replay_id(connection: &Connection, id: &str) -> ReplayId {
    let digest = Sha256::new()
        .chain_update(b"tigertrust/sso-replay/1\0")
        .chain_update(connection.id.to_string())
        .chain_update(b"\0")
        .chain_update(id);
    digest.finalize().into()
}

impl TakenOnce {
    /// Nothing.
    #[must_use]
    pub const fn nothing(now: Timestamp) -> Self {
        Self {
            ids: Vec::new(),
            until: now,
        }
    }
}

/// The secret that stays in the browser. What the provider is sent is derived from it, so that nothing has to be stored but its
/// digest, and nobody else can answer.
struct Bound(Zeroizing<String>);

impl Bound {
    fn of(browser: &str) -> Self {
        Self(Zeroizing::new(browser.to_owned()))
    }

    /// 64 letters, one for each purpose; none tells anything of another.
    fn derive(&self, purpose: &str) -> Zeroizing<String> {
        let digest = Sha256::new()
            .chain_update(b"tigertrust/sso/1\0")
            .chain_update(purpose)
            .chain_update(b"\0")
            .chain_update(self.0.as_bytes());
        Zeroizing::new(to_hex(&digest.finalize()))
    }

    /// The id of the AuthnRequest: an XML name, which does not begin with a digit.
    fn request_id(&self) -> String {
        format!("_{}", *self.derive("saml-request"))
    }
}

impl fmt::Debug for BegunSso {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BegunSso")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_provider_is_sent_is_bound_to_the_browser_and_fit_for_its_purpose() {
        let (one, other) = (Bound::of("tt_ssb_a"), Bound::of("tt_ssb_b"));
        let verifier = one.derive("code-verifier");
        // RFC 7636 §4.1: 43 to 128 unreserved characters.
        assert!((43..=128).contains(&verifier.len()));
        assert!(verifier.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(*verifier, *one.derive("nonce"));
        assert_ne!(*verifier, *other.derive("code-verifier"));
        assert_eq!(*verifier, *Bound::of("tt_ssb_a").derive("code-verifier"));
        assert!(one.request_id().starts_with('_'));
    }

    #[test]
    fn a_provider_s_error_cannot_forge_a_line() {
        assert_eq!(harmless("access_denied"), "access_denied");
        assert_eq!(harmless("x\ny <b>\u{202e}"), "xyb");
        assert_eq!(harmless(&"a".repeat(100)).len(), 40);
    }

    #[test]
    fn a_name_is_cut_and_cleaned() {
        assert_eq!(shown_name("  Jo\n Doe "), Some("Jo Doe".to_owned()));
        assert_eq!(shown_name(" \t"), None);
        assert_eq!(
            shown_name(&"x".repeat(500)).map(|name| name.len()),
            Some(MAX_NAME)
        );
    }
}
