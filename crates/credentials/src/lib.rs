//! What checks: reading, digesting and looking up credentials, and the one way in, [`Admission`].
//!
//! A request's headers become a [`Presented`], the route states its [`Need`], and
//! [`Admission::admit`] answers with a [`Permit`] or an [`AuthError`]. Nothing else can build a `Permit`.
//! Storage stands behind the ports in [`ports`]; caches are kept honest by [`ChangeTracker`].

mod access_token;
mod admit;
mod audit_ring;
mod cache;
mod checks;
mod digest_hasher;
mod encryption_key;
mod error;
mod failures;
mod feed;
mod hashing_pool;
mod hashing_queue;
mod histogram;
mod key;
mod key_format;
mod key_formats;
mod key_hash;
mod known_key;
mod limits;
mod live_ring;
mod need;
mod node;
mod one_time_code;
mod outage;
mod password;
mod password_policy;
mod pepper;
pub mod ports;
mod qr;
mod recovery_code;
mod ring_secret;
mod schemes;
mod sealed;
mod session;
mod steady_clock;
mod system;
mod token;
mod totp;
mod tracker;
mod usage;
mod uses;

pub use access_token::{
    ACCESS_TOKEN_PREFIX, AccessClaims, AccessTokenSigner, MalformedAccessToken, ParsedAccessToken,
    PublicSigningKey,
};
#[cfg(feature = "access-tokens")]
pub use access_token::{RingSigner, SigningKey, SigningKeyError, SigningRing};
pub use admit::{
    AccessTokenRequest, Admission, CacheSettings, IssueTokenError, IssuedAccessToken, Permit, Verdict,
    Verification,
};
pub use audit_ring::AuditRing;
pub use checks::{AdmissionCounts, CacheCounts};
pub use encryption_key::{EncryptionKey, EncryptionKeyError};
pub use error::{AuthError, Unauthorized};
pub use failures::ClientNetwork;
pub use feed::{After, RecentChanges};
pub use hashing_pool::{HashingError, HashingLoad, HashingPool, HashingSettings, Verified};
pub use histogram::{Histogram, HistogramSnapshot};
pub use key::{KeySecret, ParsedKey};
pub use key_format::{Checksum, Digested, KEY_LENGTH, KeyFormat, MalformedKey};
pub use key_formats::{KeyFormatError, KeyFormats, KeyLength};
pub use key_hash::{KeyHash, MalformedKeyHash};
pub use limits::{Charge, RateLimits, Refusal};
pub use live_ring::Current;
pub use need::{Need, WorkspaceNeed};
pub use node::{NODE_LIVES_FOR, NodeNote, RunningNode, RunningRing};
pub use one_time_code::OneTimeCode;
pub use outage::OutageLog;
pub use password::{HashingMemory, Password, PasswordCost, PasswordCostError, PasswordHash, PasswordHasher};
pub use password_policy::{PasswordPolicy, PasswordPolicyError};
pub use pepper::{KeyDigest, Pepper, PepperError, PepperRing};
pub use recovery_code::{RecoveryCode, RecoveryCodeDigest};
pub use schemes::{HeaderValues, Presented};
pub use sealed::{EncryptionRing, MalformedSealed, Sealed, SealedPlace, UnsealError};
pub use session::{PersonPermit, SessionAdmission};
pub use steady_clock::SteadyClock;
pub use system::{OsRandom, SystemClock};
pub use token::{MalformedToken, Token, TokenDigest, TokenKind};
pub use totp::{TotpCode, TotpSecret, TotpStep};
pub use tracker::ChangeTracker;
pub use uses::MAX_USER_AGENT;

pub use tigertrust_rate_limit as rate_limit;
