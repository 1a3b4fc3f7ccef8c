//! Whether an answer is the one that was expected.

use std::{fmt::Debug, ops::RangeInclusive};

use super::{Adapter, Answered, Protocol};

/// What is to come of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    /// The handler answers.
    Passes,
    /// With this status over HTTP, and this code.
    Refused(u16, &'static str),
}

/// The handler answers.
pub(super) const PASSES: Expected = Expected::Passes;

/// With this status over HTTP, and this code.
pub(super) const fn refused(status: u16, code: &'static str) -> Expected {
    Expected::Refused(status, code)
}

/// How a status is called over gRPC.
fn grpc_status(status: u16) -> &'static str {
    match status {
        400 => "3",
        401 => "16",
        403 => "7",
        429 => "8",
        503 => "14",
        other => panic!("the suite knows no gRPC status for {other}"),
    }
}

/// What was found to be wrong.
pub(super) struct Found<'a> {
    adapter: &'a Adapter,
    wrong: Vec<String>,
}

impl<'a> Found<'a> {
    pub(super) const fn new(adapter: &'a Adapter) -> Self {
        Self {
            adapter,
            wrong: Vec::new(),
        }
    }

    /// Notes what is not so.
    pub(super) fn that(&mut self, name: &str, is_so: bool, why: impl FnOnce() -> String) {
        if !is_so {
            self.wrong.push(format!("{name}: {}", why()));
        }
    }

    fn equal<T: PartialEq + Debug>(&mut self, name: &str, found: T, expected: T) {
        self.that(name, found == expected, || {
            format!("{found:?} instead of {expected:?}")
        });
    }

    pub(super) fn compare(&mut self, name: &str, expected: &Expected, answer: &Answered) {
        match (self.adapter.protocol, expected) {
            (Protocol::Http, Expected::Passes) => self.equal(name, answer.status, 200),
            (Protocol::Http, Expected::Refused(status, code)) => self.problem(name, *status, code, answer),
            (Protocol::Grpc, Expected::Passes) => {
                self.equal(name, header(answer, "grpc-status"), "");
                self.equal(name, answer.status, 200);
            }
            (Protocol::Grpc, Expected::Refused(status, _)) => {
                self.equal(name, header(answer, "grpc-status"), grpc_status(*status));
                self.equal(name, answer.status, 200);
                let message = header(answer, "grpc-message");
                self.that(name, message.ends_with('.'), || {
                    format!("the message {message:?} is no sentence")
                });
            }
        }
    }

    fn problem(&mut self, name: &str, status: u16, code: &str, answer: &Answered) {
        let found = answer.body["code"].as_str().unwrap_or_default();
        self.equal(name, (answer.status, found), (status, code));
        self.equal(name, answer.body["status"].as_u64(), Some(status.into()));
        self.equal(name, header(answer, "content-type"), "application/problem+json");
        self.equal(name, header(answer, "cache-control"), "no-store");
        let challenge = header(answer, "www-authenticate");
        self.that(name, status != 401 || challenge.starts_with("Bearer"), || {
            format!("the challenge is {challenge:?}")
        });
    }

    /// That a refusal names the request as the request named itself.
    pub(super) fn request_id(&mut self, id: &str, answer: &Answered) {
        let name = "the id of a request";
        if self.adapter.protocol == Protocol::Http {
            self.equal(name, answer.body["requestId"].as_str(), Some(id));
        }
        if self.adapter.repeats_request_id {
            self.equal(name, header(answer, "x-request-id"), id);
        }
    }

    /// That an answer tells how the limit of two a minute stands.
    pub(super) fn limits_are_told(&mut self, remaining: &str, answer: &Answered) {
        if !(self.adapter.counts && self.adapter.tells_limits) {
            return;
        }
        let name = "the limits in the headers";
        self.equal(name, header(answer, "x-ratelimit-limit"), "2");
        self.equal(name, header(answer, "x-ratelimit-remaining"), remaining);
        let reset = header(answer, "x-ratelimit-reset");
        self.that(name, reset.parse::<u64>().is_ok(), || {
            format!("the reset is {reset:?}")
        });
        let policy = header(answer, "ratelimit-policy");
        self.that(name, policy.starts_with("\"minute\";q=2;w=60"), || {
            format!("the policy is {policy:?}")
        });
        let standing = header(answer, "ratelimit");
        self.that(
            name,
            standing.starts_with(&format!("\"minute\";r={remaining};t=")),
            || format!("the standing is {standing:?}"),
        );
    }

    /// After how many seconds to try again; 1 where the answer does not say.
    pub(super) fn retry_after(&mut self, allowed: RangeInclusive<u64>, answer: &Answered) -> u64 {
        let told = header(answer, "retry-after");
        match told.parse() {
            Ok(seconds) if allowed.contains(&seconds) => seconds,
            _ => {
                self.wrong.push(format!("Retry-After is {told:?}"));
                1
            }
        }
    }

    pub(super) fn finish(self) {
        assert!(
            self.wrong.is_empty(),
            "the service is not protected as it should be:\n  {}",
            self.wrong.join("\n  ")
        );
    }
}

/// A header's value; empty where it is missing.
fn header<'a>(answer: &'a Answered, name: &str) -> &'a str {
    answer
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
