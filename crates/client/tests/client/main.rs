//! The client against real servers on both engines, with a proxy between them that makes trouble.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at once"
)]

mod at_once;
mod calls;
mod feed;
mod lease;
mod middleware;
mod secrets;
mod support;
mod tokens;
mod verify;
