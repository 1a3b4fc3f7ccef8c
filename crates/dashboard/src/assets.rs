//! Style and scripts, compiled in. Their addresses bear a digest of what they hold, so that a browser asks for each but once.

use std::{io::Write as _, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse, guard,
    http::header::{self, HeaderValue},
    web,
};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

/// What browsers may keep for a year, since another content has another address.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// One file.
pub(crate) struct Asset {
    /// Where it is served.
    pub(crate) path: String,
    kind: &'static str,
    plain: &'static [u8],
    compressed: web::Bytes,
}

/// The style of every page.
pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "style",
        "css",
        "text/css; charset=utf-8",
        include_bytes!("../assets/style.css"),
    )
});
/// What pages do beside their forms: copying, times in the reader's zone, passkeys.
pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "dashboard",
        "js",
        "text/javascript; charset=utf-8",
        include_bytes!("../assets/dashboard.js"),
    )
});
/// htmx 2.0.11, as it is published (Zero-Clause BSD).
pub(crate) static HTMX: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "htmx",
        "js",
        "text/javascript; charset=utf-8",
        include_bytes!("../assets/htmx.min.js"),
    )
});
/// The sign in browsers' tabs.
pub(crate) static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "icon",
        "svg",
        "image/svg+xml",
        include_bytes!("../assets/icon.svg"),
    )
});

impl Asset {
    fn new(name: &str, ending: &str, kind: &'static str, plain: &'static [u8]) -> Self {
        let digest = Sha256::digest(plain);
        let version = digest
            .iter()
            .take(6)
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail; what would be empty then is not served compressed.
        let written = encoder.write_all(plain).and_then(|()| encoder.finish());
        Self {
            path: format!("/assets/{name}-{version}.{ending}"),
            kind,
            plain,
            compressed: written.unwrap_or_default().into(),
        }
    }

    fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let accepted = request
            .headers()
            .get(header::ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok());
        let takes_gzip =
            accepted.is_some_and(|accepted| accepted.split(',').any(|coding| coding.trim() == "gzip"));
        let mut response = HttpResponse::Ok();
        response
            .content_type(self.kind)
            .insert_header((header::CACHE_CONTROL, FOREVER))
            .insert_header((header::VARY, HeaderValue::from_static("Accept-Encoding")));
        if takes_gzip && !self.compressed.is_empty() {
            response.insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
            return response.body(self.compressed.clone());
        }
        response.body(self.plain)
    }
}

pub(crate) fn mount(config: &mut web::ServiceConfig) {
    for asset in [&STYLE, &SCRIPT, &HTMX, &ICON] {
        config.route(
            &asset.path,
            web::route()
                .guard(guard::Any(guard::Get()).or(guard::Head()))
                .to(async |request: HttpRequest| asset.respond(&request)),
        );
    }
}
