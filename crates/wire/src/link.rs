//! What is done by links in mails.

use std::fmt;

use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// Who has forgotten the password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForgotPassword {
    /// The e-mail address of the account.
    #[schema(examples("jo@example.com"))]
    pub email: String,
}

/// A new password in place of a forgotten one.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResetPassword {
    /// What the link in the mail holds.
    #[schema(value_type = String)]
    pub token: Zeroizing<String>,
    /// The new one: 15 characters or more, or 8 where a second factor is enrolled; not a common one.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 256)]
    pub new_password: Zeroizing<String>,
}

/// Another e-mail address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeEmail {
    /// The new address, or the present one, to prove that mail to it arrives.
    #[schema(examples("jo@example.com"), max_length = 254)]
    pub new_email: String,
}

/// The proof that mail to an address arrives.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyEmail {
    /// What the link in the mail holds.
    #[schema(value_type = String)]
    pub token: Zeroizing<String>,
}

impl fmt::Debug for ResetPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetPassword")
    }
}

impl fmt::Debug for VerifyEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyEmail")
    }
}
