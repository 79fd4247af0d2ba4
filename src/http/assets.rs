//! The pages: files that are built into the binary, with the headers that keep them safe.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What a page may load and do: nothing but its own files and the API.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The files, by their path under `/assets/`.
const FILES: [(&str, &str, &[u8]); 18] = [
    ("app.css", "text/css; charset=utf-8", include_bytes!("assets/app.css")),
    ("favicon.svg", "image/svg+xml", include_bytes!("assets/favicon.svg")),
    ("fonts/inter.woff2", "font/woff2", include_bytes!("assets/fonts/inter.woff2")),
    ("fonts/LICENSE", "text/plain; charset=utf-8", include_bytes!("assets/fonts/LICENSE")),
    ("js/api.js", SCRIPT, include_bytes!("assets/js/api.js")),
    ("js/app.js", SCRIPT, include_bytes!("assets/js/app.js")),
    ("js/chart.js", SCRIPT, include_bytes!("assets/js/chart.js")),
    ("js/dom.js", SCRIPT, include_bytes!("assets/js/dom.js")),
    ("js/format.js", SCRIPT, include_bytes!("assets/js/format.js")),
    ("js/live.js", SCRIPT, include_bytes!("assets/js/live.js")),
    ("js/words.js", SCRIPT, include_bytes!("assets/js/words.js")),
    ("js/pages/alerts.js", SCRIPT, include_bytes!("assets/js/pages/alerts.js")),
    ("js/pages/dead_letters.js", SCRIPT, include_bytes!("assets/js/pages/dead_letters.js")),
    ("js/pages/market.js", SCRIPT, include_bytes!("assets/js/pages/market.js")),
    ("js/pages/seller.js", SCRIPT, include_bytes!("assets/js/pages/seller.js")),
    ("js/pages/sellers.js", SCRIPT, include_bytes!("assets/js/pages/sellers.js")),
    ("js/pages/worklist.js", SCRIPT, include_bytes!("assets/js/pages/worklist.js")),
    ("index.html", "text/html; charset=utf-8", INDEX),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";
const INDEX: &[u8] = include_bytes!("assets/index.html");

/// The page that all others are drawn in.
pub(super) fn index() -> Response {
    page("text/html; charset=utf-8", INDEX)
}

/// `GET /assets/...`
pub(super) async fn file(Path(path): Path<String>) -> Response {
    match FILES.iter().find(|(name, ..)| *name == path) {
        Some((_, kind, bytes)) => page(kind, bytes),
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

fn page(kind: &'static str, bytes: &'static [u8]) -> Response {
    let mut response = ([(header::CONTENT_TYPE, kind)], bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}
