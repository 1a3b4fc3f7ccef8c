//! `/api/auth`.

pub(crate) mod check;
pub(crate) mod me;
