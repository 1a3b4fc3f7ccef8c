//! Why a job gets no token.

use tigertrust_credentials::ports::StoreError;

/// Why a job gets no token. Whoever asks is told no more than which of these it is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExchangeError {
    /// It is let in by no rule of the key, or there is no such key: for logs and tests, one answer for all.
    #[error("the job is not let in: {0}")]
    Refused(TokenRefusal),
    /// The issuer of a rule does not tell its keys at present.
    #[error("the issuer cannot be asked: {0}")]
    IssuerUnavailable(String),
    /// This server is built without what verifies such tokens.
    #[error("this server takes no tokens of jobs")]
    NotSupported,
    /// Storage did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<TokenRefusal> for ExchangeError {
    fn from(refusal: TokenRefusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Why the token of a job is no good. The log of the key's workspace says which it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// There is no such key, or it has no rules.
    #[error("no key with trust rules has this id")]
    UnknownKey,
    /// The key is not good, whoever presents it.
    #[error("the key is revoked, expired, switched off, or without its workspace or owner")]
    KeyNotGood,
    /// The token is no JSON Web Token, or says not what each must say.
    #[error("the token is malformed")]
    Malformed,
    /// No rule of the key takes the word of the issuer.
    #[error("no rule takes the word of the token's issuer")]
    Issuer,
    /// What is published at the issuer's address is not to be used.
    #[error("the issuer cannot be used: {0}")]
    IssuerUnusable(String),
    /// It is not signed, or by an algorithm or as a kind of token that is not accepted.
    #[error("the token is of a kind, or signed by an algorithm, that is not accepted")]
    Kind,
    /// It is signed by a key that the issuer does not publish.
    #[error("the token is signed by a key that the issuer does not publish")]
    SigningKey,
    /// The signature is wrong.
    #[error("the token's signature is wrong")]
    Signature,
    /// It is past its time.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// A claim is not as a rule has it.
    #[error("the claim {0} is not as the rule has it")]
    Claim(String),
}

impl TokenRefusal {
    /// As the audit log says it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownKey => "UNKNOWN_KEY",
            Self::KeyNotGood => "KEY_NOT_GOOD",
            Self::Malformed => "TOKEN_MALFORMED",
            Self::Issuer => "ISSUER",
            Self::IssuerUnusable(_) => "ISSUER_UNUSABLE",
            Self::Kind => "TOKEN_KIND",
            Self::SigningKey => "SIGNING_KEY",
            Self::Signature => "SIGNATURE",
            Self::Expired => "TOKEN_EXPIRED",
            Self::NotYetValid => "TOKEN_NOT_YET_VALID",
            Self::Audience => "AUDIENCE",
            Self::Claim(_) => "CLAIM",
        }
    }

    /// What more there is to say.
    pub(super) fn detail(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Claim(claim) => Some(("claim", claim)),
            Self::IssuerUnusable(why) => Some(("reason", why)),
            _ => None,
        }
    }
}
