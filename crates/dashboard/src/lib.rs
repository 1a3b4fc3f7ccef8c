//! The pages of TigerTrust for people: rendered on the server, over the same flows that the HTTP API calls, behind the same admission.
//!
//! Forms work without JavaScript; htmx swaps parts of pages where there is some, and a page of passkeys needs it. Templates are
//! [maud]'s: they are Rust, so that a part of a page is a function, what it shows has a type, and all text is escaped.
//!
//! What a page may do is what an operation of the API may do ([`page`](tigertrust_http::page::page)); a page has no rule of its own.

mod assets;
mod chart;
mod components;
mod form;
mod instant;
mod layout;
mod notice;
mod pages;
mod refusal;
mod routes;
mod visitor;

use actix_web::{HttpResponse, http::Method};
use tigertrust_http::{ApiError, page::Pages};

/// The pages, to be served beside the API.
#[must_use]
pub const fn pages() -> Pages {
    Pages {
        mount: routes::mount,
        refused,
    }
}

/// One page.
#[derive(Clone, Debug)]
pub struct PagePath {
    /// The method.
    pub method: Method,
    /// Its path, with `{parameters}`.
    pub path: &'static str,
    /// The operation of the API that it is like: whoever may call that may see it. None for pages that anybody may see.
    pub like: Option<(Method, &'static str)>,
}

/// Every page.
#[must_use]
pub fn paths() -> Vec<PagePath> {
    let of_path = |(path, pages): routes::PathPages| {
        let paths = pages.into_iter().map(move |page| PagePath {
            method: page.method().clone(),
            path,
            like: page.operation().cloned(),
        });
        paths.collect::<Vec<_>>()
    };
    routes::table().into_iter().flat_map(of_path).collect()
}

fn refused(error: &ApiError) -> HttpResponse {
    refusal::page(error, None)
}
