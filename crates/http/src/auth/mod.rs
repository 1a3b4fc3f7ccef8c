//! `/api/auth`.

pub(crate) mod check;
pub(crate) mod links;
pub(crate) mod login;
pub(crate) mod me;
pub(crate) mod passkeys;
pub(crate) mod profile;
pub(crate) mod refusals;
pub(crate) mod sessions;
