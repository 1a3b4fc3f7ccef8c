//! The adapters, each as a service of a handful of routes that the shared suite calls, and what they do beyond it.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at once"
)]

mod axum;
mod behind;
mod by_actix;
mod examples;
mod grpc;
mod own_store;
