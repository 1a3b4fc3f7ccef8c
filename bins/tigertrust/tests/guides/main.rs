//! The guides of the handbook, run as they stand, and the files that its pages show.
//!
//! How a guide says what is to be run stands in `docs/src/development/testing.md`.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at once"
)]

mod block;
mod expectation;
mod files;
mod list;
mod ports;
mod run;
mod session;
