//! The middlewares: the suite for protected services, and what it does not ask about.

mod actix;
mod answers;
mod axum;
mod instance;
mod tonic;
