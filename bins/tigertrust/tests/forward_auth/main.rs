//! Forward-auth with real proxies, set up by the files in `deploy/`, in front of a backend that believes what it is told.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop at once"
)]

mod behind;
mod failing;
mod forged;
mod passing;
mod paths;
mod people;
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with the tests of the command line"
)]
#[path = "../cli/program.rs"]
mod program;
mod raw;
mod smuggling;
mod streams;

/// Emits each named test once for every proxy; a test takes a [`behind::Behind`].
macro_rules! behind_each_proxy {
    ($($test:ident),+ $(,)?) => {
        crate::behind_each_proxy!(@ nginx Nginx $($test)+);
        crate::behind_each_proxy!(@ caddy Caddy $($test)+);
        crate::behind_each_proxy!(@ haproxy HaProxy $($test)+);
        crate::behind_each_proxy!(@ envoy Envoy $($test)+);
    };
    (@ $module:ident $kind:ident $($test:ident)+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let kind = tigertrust_testkit::ProxyKind::$kind;
                    super::$test(crate::behind::Behind::start(kind).await).await;
                }
            )+
        }
    };
}
pub(crate) use behind_each_proxy;
