//! What travels: request and response bodies, the problem document, and the only table from an error to a status.
//!
//! JSON in camelCase, times in RFC 3339 and UTC, ids as TypeIDs. Unknown fields of a request are refused.

// First, since a macro is known only to what stands below it.
#[macro_use]
mod silent;

mod audit;
mod audit_archive;
mod code;
mod forwarded;
mod hygiene;
mod invitation;
mod key;
mod key_import;
mod link;
mod me;
mod member;
mod page;
mod passkey;
mod problem;
mod profile;
mod rate_limit;
mod scim;
mod sign_in;
mod sso;
mod timestamp;
mod token;
mod trust_rule;
mod usage;
mod verify;
mod webhook;
mod workspace;

pub use audit::{
    AuditActor, AuditChange, AuditEvent, AuditOrigin, AuditTarget, Checkpoint, audit_csv, audit_csv_headings,
    audit_ndjson,
};
pub use audit_archive::{ArchiveHeader, ArchivedEvent};
pub use code::{Code, Retry};
pub use forwarded::TrustedProxies;
pub use hygiene::{FindingName, KeyFinding};
pub use invitation::{AcceptInvitation, Invitation, Invite};
pub use key::{
    CreateKey, IssuedKey, Key, KeyStateName, KeyTypeName, OwnLimits, ReportLeak, RevokeKey, RotateKey,
    Secret, UpdateKey,
};
pub use key_import::{ForeignKey, ImportKeys, ImportReport, ImportStatus, ImportedKey};
pub use link::{ChangeEmail, ForgotPassword, ResetPassword, VerifyEmail};
pub use me::{KeyIdentity, PrincipalType};
pub use member::{AddMember, Member, RoleName, UpdateMember};
pub use page::Page;
pub use passkey::{
    AddedPasskey, FinishPasskey, FinishPasskeyLogin, Passkey, PasskeyOptions, RenamePasskey,
    StartPasskeyLogin,
};
pub use problem::{FieldProblem, NOT_SIGNED_IN, Problem, challenge, is_request_id};
pub use profile::{ExportedInvitation, ExportedMembership, PersonExport, UpdateMe};
pub use rate_limit::{RateLimit, RateLimitHeaders, add_rate_limits, rate_limits, seconds};
pub use scim::{
    ScimError, ScimList, ScimPatch, ScimUser, scim_configuration, scim_resource_types, scim_schemas,
};
pub use sign_in::{
    ChangePassword, ConfirmTotp, Discover, Discovered, LogIn, Membership, PersonIdentity, RecoveryCodes,
    SecondFactorRequired, Session, SignedIn, StepUp, TotpEnrolment, User, VerifySecondFactor,
};
pub use sso::{
    ClaimDomain, ConnectIdentity, CreateSsoConnection, Domain, Identities, Identity, Provider,
    ProviderMistake, Providers, Redirect, ScimToken, SsoConnection, TestReport, UpdateDomain,
    UpdateSsoConnection,
};
pub use tigertrust_accounts::{format_rfc3339, parse_rfc3339};
pub use token::{ExchangeForToken, IssuedToken, JsonWebKey, JsonWebKeySet};
pub use trust_rule::{CreateTrustRule, TrustRule};
pub use usage::{GranularityName, KeyUsage, Usage, UsageBucket, UsageByKey, UsageRange};
pub use verify::{KeyVerdict, VerifiedKey, VerifyKey};
pub use webhook::{
    CreateWebhook, IssuedWebhook, RotateWebhookSecret, UpdateWebhook, Webhook, WebhookDelivery,
};
pub use workspace::{CreateWorkspace, LeakResponseName, UpdateWorkspace, Workspace};
