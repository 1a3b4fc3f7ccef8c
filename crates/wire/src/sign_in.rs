//! Signing in, sessions and second factors.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tigertrust_accounts::{NewTotp, RecoveryCodes as Codes, SecondFactorMethods};
use tigertrust_credentials::{PersonPermit, Token, ports::SessionRecord};
use tigertrust_model::{Role, Session as Record, SessionId, Timestamp, User as Person, Workspace as Model};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::{Workspace, me::PrincipalType, timestamp};

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogIn {
    /// The e-mail address of the account.
    #[schema(examples("jo@example.com"))]
    pub email: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    pub password: Zeroizing<String>,
}

/// The second step of a login.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifySecondFactor {
    /// What the first step answered.
    #[schema(value_type = String)]
    pub token: Zeroizing<String>,
    /// Six digits of the authenticator app, or a recovery code.
    #[schema(value_type = String, examples("492039"))]
    pub code: Zeroizing<String>,
}

/// A fresh proof: of everything that the account has, or by a passkey alone.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepUp {
    /// The password, where the account has one.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub password: Option<Zeroizing<String>>,
    /// A code, where a second factor is enrolled.
    #[serde(default)]
    #[schema(value_type = Option<String>, examples("492039"))]
    pub code: Option<Zeroizing<String>>,
    /// A passkey's answer to `POST /api/auth/passkeys/login/start`, in place of both.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub passkey: Option<Value>,
}

/// A code of an authenticator app.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfirmTotp {
    /// The six digits.
    #[schema(value_type = String, examples("492039"))]
    pub code: Zeroizing<String>,
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangePassword {
    /// The password that it takes the place of.
    #[schema(value_type = String, format = Password)]
    pub current_password: Zeroizing<String>,
    /// The new one: 15 characters or more, or 8 where a second factor is enrolled; not a common one.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 256)]
    pub new_password: Zeroizing<String>,
}

/// Who wants to sign in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Discover {
    /// An e-mail address. Only its domain counts.
    #[schema(examples("jo@example.com"))]
    pub email: String,
}

/// How people of a domain sign in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Discovered {
    /// The ways there are.
    #[schema(examples(json!(["password"])))]
    pub methods: Vec<&'static str>,
    /// Where signing in by the domain's provider begins, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("https://auth.example.com/api/auth/saml/acme"))]
    pub sso_url: Option<String>,
}

silent!(LogIn, VerifySecondFactor, StepUp, ConfirmTotp, ChangePassword);

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The person's id.
    #[schema(examples("usr_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// The address that the person signs in with.
    pub email: String,
    /// Whether mail to it was proved to arrive.
    pub email_verified: bool,
    /// How the person wants to be called.
    pub name: Option<String>,
}

impl From<&Person> for User {
    fn from(person: &Person) -> Self {
        Self {
            id: person.id.to_string(),
            email: person.email.to_string(),
            email_verified: person.email_verified_at.is_some(),
            name: person.name.clone(),
        }
    }
}

/// A workspace, and what a person is in it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// The workspace.
    #[serde(flatten)]
    pub workspace: Workspace,
    /// What the person is there: owner, admin, member or viewer.
    #[schema(examples("owner"))]
    pub role: &'static str,
}

impl From<&(Model, Role)> for Membership {
    fn from((workspace, role): &(Model, Role)) -> Self {
        Self {
            workspace: workspace.into(),
            role: role.as_str(),
        }
    }
}

/// Who has signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// The person.
    pub user: User,
    /// The person's workspaces, those joined first come first.
    pub workspaces: Vec<Membership>,
    /// The one that requests act in without `X-Workspace-ID`; null for somebody who has none.
    pub default_workspace_id: Option<String>,
}

impl From<&SessionRecord> for SignedIn {
    fn from(record: &SessionRecord) -> Self {
        Self {
            user: (&record.user).into(),
            workspaces: record.memberships.iter().map(Into::into).collect(),
            default_workspace_id: record.default_workspace().map(|id| id.to_string()),
        }
    }
}

/// The password was right, and a second factor is asked for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecondFactorRequired<'a> {
    /// Always true.
    #[serde(rename = "requires2FA")]
    pub requires_2fa: bool,
    /// What the second step is asked with: good for five minutes and five tries.
    pub token: &'a str,
    /// What will do.
    #[schema(examples(json!(["totp", "recoveryCode", "passkey"])))]
    pub methods: Vec<&'static str>,
}

impl<'a> SecondFactorRequired<'a> {
    /// The answer that hands the token out.
    #[must_use]
    pub fn new(token: &'a Token, methods: SecondFactorMethods) -> Self {
        let names = [
            (methods.totp, "totp"),
            (methods.recovery_code, "recoveryCode"),
            (methods.passkey, "passkey"),
        ];
        Self {
            requires_2fa: true,
            token: token.reveal(),
            methods: names
                .into_iter()
                .filter_map(|(is_there, name)| is_there.then_some(name))
                .collect(),
        }
    }
}

/// A session of the caller's.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id, by which it can be ended.
    #[schema(examples("ses_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// When it began.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends at the latest.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was last used, to a minute.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub last_seen_at: Timestamp,
    /// Whether a second factor was proved.
    pub second_factor: bool,
    /// By which connection the person came in, if that was by single sign-on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// The address that the person signed in from.
    pub address: Option<String>,
    /// The `User-Agent` that the person signed in with.
    pub user_agent: Option<String>,
}

impl Session {
    /// The session, as whoever has that one sees it.
    #[must_use]
    pub fn new(session: &Record, current: Option<SessionId>) -> Self {
        Self {
            id: session.id.to_string(),
            current: Some(session.id) == current,
            created_at: session.created_at,
            expires_at: session.expires_at,
            last_seen_at: session.last_seen_at,
            second_factor: session.second_factor,
            connection: session.sso.as_ref().map(|sso| sso.connection.to_string()),
            address: session.origin.address.map(|address| address.to_string()),
            user_agent: session.origin.user_agent.clone(),
        }
    }
}

/// The person who calls.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonIdentity {
    /// Always `user` here.
    pub r#type: PrincipalType,
    /// The person.
    pub user: User,
    /// The workspace that the request acts in; null for somebody who has none.
    pub workspace: Option<Workspace>,
    /// What the person is there.
    #[schema(examples("owner"))]
    pub role: Option<&'static str>,
    /// All of the person's workspaces.
    pub workspaces: Vec<Membership>,
    /// The one that requests act in without `X-Workspace-ID`; null for somebody who has none.
    pub default_workspace_id: Option<String>,
    /// The session.
    pub session: Session,
}

impl From<&PersonPermit> for PersonIdentity {
    fn from(permit: &PersonPermit) -> Self {
        Self {
            r#type: PrincipalType::User,
            user: permit.user().into(),
            workspace: permit.workspace().map(Into::into),
            role: permit.role().map(Role::as_str),
            workspaces: permit.record().memberships.iter().map(Into::into).collect(),
            default_workspace_id: permit.record().default_workspace().map(|id| id.to_string()),
            session: Session::new(permit.session(), Some(permit.session().id)),
        }
    }
}

/// An authenticator app that is about to be added.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TotpEnrolment<'a> {
    /// The secret, for who types it.
    pub secret: &'a str,
    /// The URI that apps take it from.
    pub otpauth_uri: &'a str,
    /// The URI as a QR code: an SVG image.
    pub qr_svg: &'a str,
}

impl<'a> From<&'a NewTotp> for TotpEnrolment<'a> {
    fn from(new: &'a NewTotp) -> Self {
        Self {
            secret: &new.secret,
            otpauth_uri: &new.uri,
            qr_svg: &new.qr_svg,
        }
    }
}

/// Codes that each open the account once in place of a second factor. This answer alone shows them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCodes<'a> {
    /// The ten codes; none where an app was added beside a passkey, since those that there are stay.
    pub recovery_codes: Vec<&'a str>,
}

impl<'a> From<&'a Codes> for RecoveryCodes<'a> {
    fn from(codes: &'a Codes) -> Self {
        Self {
            recovery_codes: codes.0.iter().map(|code| code.as_str()).collect(),
        }
    }
}
