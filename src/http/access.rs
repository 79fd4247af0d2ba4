//! Who may ask, and how much at once.
//!
//! - **Host**: a page of another site must not reach the service under a name of its own (DNS
//!   rebinding), so that the pages and the API answer under known names only.
//! - **Token**: where one is configured, the API wants it, as a bearer token or as the cookie that
//!   `POST /api/v1/session` gives for it. Secrets are compared by their digests, in a time that
//!   does not depend on where they differ.
//! - **Numbers**: so many requests and so many streams at once; more are told when to come again.
//!
//! Invariants: no token is kept or shown, only digests; the probes (`/livez`, `/readyz`,
//! `/version`, `/metrics`) stay open. Absent on purpose: users, roles, and other sites (CORS).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::HttpState;
use super::api::Refusal;

/// The cookie of a session.
pub(super) const COOKIE: &str = "odrwatch_session";

/// How long a browser keeps a session, in seconds: a working day.
pub(super) const SESSION_SECONDS: u32 = 12 * 60 * 60;

/// Requests that may be under way at once.
const MOST_REQUESTS: usize = 256;

/// Streams of changes that may be open at once.
const MOST_STREAMS: usize = 128;

/// What guards the pages and the API.
#[derive(Clone)]
pub struct Door {
    /// The address that is listened on.
    pub listen: SocketAddr,
    /// The token that the API asks for; none lets everybody in.
    pub token: Option<String>,
    /// Names, beside `localhost` and the listen address, under which the service is reached.
    pub allowed_hosts: Vec<String>,
    /// Requests that may be under way at once.
    pub most_requests: usize,
    /// Streams of changes that may be open at once.
    pub most_streams: usize,
    /// Connections that may be open at once.
    pub most_connections: usize,
    /// How many accounts `/metrics/sellers` shows; 0 turns it off.
    pub top_sellers: usize,
}

impl Door {
    /// A door without a token, on an address.
    #[must_use]
    pub const fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            token: None,
            allowed_hosts: Vec::new(),
            most_requests: MOST_REQUESTS,
            most_streams: MOST_STREAMS,
            most_connections: super::MOST_CONNECTIONS,
            top_sellers: 0,
        }
    }
}

/// The token stays out of sight.
impl std::fmt::Debug for Door {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Door")
            .field("listen", &self.listen)
            .field("has_token", &self.token.is_some())
            .field("allowed_hosts", &self.allowed_hosts)
            .finish_non_exhaustive()
    }
}

/// A secret that can be compared and not read.
#[derive(Clone, Copy)]
struct Print([u8; 32]);

impl Print {
    fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Compares all bytes, wherever the first difference is.
    fn is(self, other: Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |differs, (left, right)| differs | (left ^ right)) == 0
    }
}

/// What a token opens.
struct Lock {
    token: Print,
    session: Print,
    /// The session's value: made from the token, so that it ends with it and outlives a restart.
    cookie: String,
}

impl Lock {
    fn new(token: &str) -> Self {
        let digest = Sha256::digest([b"odrwatch session 1\0", token.as_bytes()].concat());
        let cookie: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let (token, session) = (Print::of(token.as_bytes()), Print::of(cookie.as_bytes()));
        Self { token, session, cookie }
    }
}

/// The door, as requests meet it.
pub(super) struct Access {
    listen: IpAddr,
    names: Vec<String>,
    lock: Option<Lock>,
    requests: Semaphore,
    streams: Arc<Semaphore>,
}

impl Access {
    pub(super) fn new(door: &Door) -> Self {
        Self {
            listen: door.listen.ip().to_canonical(),
            names: door.allowed_hosts.iter().map(|name| plain(name)).collect(),
            lock: door.token.as_deref().map(Lock::new),
            requests: Semaphore::new(door.most_requests),
            streams: Arc::new(Semaphore::new(door.most_streams)),
        }
    }

    /// Takes the place of a stream, until the permit is dropped.
    pub(super) fn stream(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| Refusal::too_many_streams())
    }

    /// Whether a token is asked for.
    pub(super) const fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// The session's cookie for the right token.
    pub(super) fn session(&self, token: &str) -> Option<&str> {
        let lock = self.lock.as_ref()?;
        lock.token.is(Print::of(token.as_bytes())).then_some(lock.cookie.as_str())
    }

    fn knows_host(&self, host: &str) -> bool {
        let host = plain(host);
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match address.map(|address| address.to_canonical()) {
            Ok(address) => {
                // Rebinding needs a name: an address leads to nobody else's page.
                let is_own = address == self.listen || self.listen.is_unspecified();
                is_own || address.is_loopback() || self.names.contains(&host)
            }
            Err(_) => host == "localhost" || self.names.contains(&host),
        }
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(lock) = &self.lock else { return true };
        let is_token =
            bearer(headers).is_some_and(|token| lock.token.is(Print::of(token.as_bytes())));
        is_token || cookies(headers).any(|value| lock.session.is(Print::of(value.as_bytes())))
    }
}

/// A host's name in the form that names are compared in.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The values of the session's cookie.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })
}

/// The host that a request is for; none where it names none, or several.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    if let Some(authority) = uri.authority() {
        return Some(authority.host().to_owned());
    }
    let mut stated = headers.get_all(header::HOST).iter();
    let (Some(only), None) = (stated.next(), stated.next()) else { return None };
    let authority: Authority = only.to_str().ok()?.parse().ok()?;
    Some(authority.host().to_owned())
}

/// Lets requests for known hosts in, so many at once.
pub(super) async fn admit(
    State(state): State<Arc<HttpState>>,
    request: Request,
    next: Next,
) -> Response {
    let access = &state.access;
    let is_known =
        host(request.uri(), request.headers()).is_some_and(|host| access.knows_host(&host));
    if !is_known {
        return Refusal::unknown_host().into_response();
    }
    match access.requests.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Refusal::busy("As many requests as may be are under way.").into_response(),
    }
}

/// Lets requests in that bring the token, if one is asked for.
pub(super) async fn authorise(
    State(state): State<Arc<HttpState>>,
    request: Request,
    next: Next,
) -> Response {
    if state.access.lets_in(request.headers()) {
        next.run(request).await
    } else {
        Refusal::unauthorised("This odrwatch asks for its token.").into_response()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn access(listen: &str, names: &[&str], token: Option<&str>) -> Access {
        Access::new(&Door {
            token: token.map(str::to_owned),
            allowed_hosts: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Door::new(listen.parse().unwrap())
        })
    }

    #[test]
    fn only_known_names_and_own_addresses_are_hosts() {
        let local = access("127.0.0.1:9464", &["odr.example.com"], None);
        for host in ["localhost", "LOCALHOST.", "127.0.0.1", "[::1]", "Odr.Example.com"] {
            assert!(local.knows_host(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.7", "", "example.com"] {
            assert!(!local.knows_host(host), "{host}");
        }
        let everywhere = access("0.0.0.0:9464", &[], None);
        assert!(everywhere.knows_host("10.0.0.7") && everywhere.knows_host("[fd00::7]"));
        assert!(!everywhere.knows_host("evil.example"));
        let one = access("10.0.0.7:9464", &[], None);
        assert!(one.knows_host("10.0.0.7") && !one.knows_host("10.0.0.8"));
    }

    #[test]
    fn a_request_names_one_host() {
        let uri = Uri::from_static("/x");
        let mut headers = HeaderMap::new();
        assert_eq!(host(&uri, &headers), None);
        headers.append(header::HOST, HeaderValue::from_static("[::1]:9464"));
        assert_eq!(host(&uri, &headers).as_deref(), Some("[::1]"));
        let absolute = Uri::from_static("http://evil.example/x");
        assert_eq!(host(&absolute, &headers).as_deref(), Some("evil.example"));
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert_eq!(host(&uri, &headers), None);
    }

    #[test]
    fn the_token_and_its_session_open_and_nothing_else_does() {
        let locked = access("127.0.0.1:1", &[], Some("correct horse battery"));
        let session = locked.session("correct horse battery").unwrap().to_owned();
        assert!(!session.contains("horse"));
        assert_eq!(locked.session("correct horse batterx"), None);
        let with = |name: header::HeaderName, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            locked.lets_in(&headers)
        };
        assert!(with(header::AUTHORIZATION, "Bearer correct horse battery"));
        assert!(with(header::AUTHORIZATION, "bearer  correct horse battery"));
        assert!(with(header::COOKIE, &format!("a=b; {COOKIE}={session}")));
        assert!(!with(header::AUTHORIZATION, &format!("Bearer {session}")));
        assert!(!with(header::AUTHORIZATION, "Basic correct horse battery"));
        assert!(!with(header::COOKIE, &format!("{COOKIE}=correct horse battery")));
        assert!(!with(header::COOKIE, &format!("other={session}")));
        assert!(!locked.lets_in(&HeaderMap::new()));
        assert!(access("127.0.0.1:1", &[], None).lets_in(&HeaderMap::new()));
        let other = access("127.0.0.1:1", &[], Some("another token"));
        assert_ne!(other.session("another token").unwrap(), session);
    }

    #[test]
    fn a_door_does_not_show_its_token() {
        let door =
            Door { token: Some("canary".to_owned()), ..Door::new(([127, 0, 0, 1], 1).into()) };
        assert!(!format!("{door:?}").contains("canary"));
    }
}
