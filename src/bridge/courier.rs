//! Carries one message to the receiver by HTTP, and says what became of it.
//!
//! Invariants: a try is over within its time-out; redirects are not followed, because they would
//! take the token elsewhere; nothing of the token, the key or an answer's body is kept or logged.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::signature::SigningKey;
use crate::telemetry::bridge_metrics::Answer;

/// How long a connection that is not used is kept.
const IDLE: Duration = Duration::from_secs(30);

/// How much of an answer is read, so that its connection can be used again.
const ANSWER_BYTES: usize = 64 * 1024;

/// The longest wait that a receiver may ask for.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Why there is no courier.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// The address cannot be used.
    #[error("bridge.url is no address: {0}")]
    Url(String),
    /// The token cannot be a header.
    #[error("the token of bridge.token_file cannot be sent in a header")]
    Token,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// There is no authority to check the receiver's certificate by.
    #[error(
        "no certificate authority is known to check the receiver by: install the system's \
         (ca-certificates), or state bridge.ca_file"
    )]
    NoAuthorities,
}

/// Where messages go, and how.
#[derive(Clone)]
pub struct Destination {
    /// The address.
    pub url: String,
    /// The token for `Authorization: Bearer`.
    pub token: Option<String>,
    /// Signs what is sent.
    pub key: Option<SigningKey>,
    /// Certificates of further authorities, in PEM.
    pub authorities: Option<String>,
    /// How long one try may take.
    pub timeout: Duration,
}

/// The token stays out of sight.
impl std::fmt::Debug for Destination {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Destination").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What is carried.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// The same for the same content, so that a receiver can drop repetitions.
    pub id: String,
    pub body: Bytes,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Said {
    pub answer: Answer,
    /// How long the receiver asked to be left alone, in ms.
    pub wait_ms: Option<i64>,
    /// The status, or why there was none.
    pub words: String,
}

/// A client of one receiver.
pub struct Courier {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    authorization: Option<HeaderValue>,
    key: Option<SigningKey>,
    timeout: Duration,
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Courier").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Courier {
    /// Makes the client; nothing is connected yet.
    ///
    /// # Errors
    /// What of the destination cannot be used.
    pub fn new(to: &Destination) -> Result<Self, CourierError> {
        let url: Uri = to.url.parse().map_err(|error| CourierError::Url(format!("{error}")))?;
        let bearer = |token: &String| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
            value.set_sensitive(true);
            Some(value)
        };
        let authorization = match &to.token {
            Some(token) => Some(bearer(token).ok_or(CourierError::Token)?),
            None => None,
        };
        let is_secure = url.scheme_str() == Some("https");
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(is_secure, to.authorities.as_deref())?)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { client, url, authorization, key: to.key.clone(), timeout: to.timeout })
    }

    /// Carries a message once; `now_ms` is the time on the wall.
    pub(super) async fn carry(&self, message: Message, now_ms: i64) -> Said {
        let request = self.request(message, now_ms);
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| words_of(&error))?;
            let (head, body) = response.into_parts();
            // What cannot be read of the answer's body changes nothing about its status.
            let _ = Limited::new(body, ANSWER_BYTES).collect().await;
            Ok::<_, String>((head.status, head.headers))
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(Ok((status, headers))) => Said {
                answer: answer_of(status),
                wait_ms: wait_of(&headers),
                words: status.to_string(),
            },
            Ok(Err(words)) => Said { answer: Answer::Failed, wait_ms: None, words },
            Err(_) => {
                let words = format!("no answer within {} ms", self.timeout.as_millis());
                Said { answer: Answer::Failed, wait_ms: None, words }
            }
        }
    }

    fn request(&self, message: Message, now_ms: i64) -> Request<Full<Bytes>> {
        let Message { id, body, headers } = message;
        let seconds = now_ms.div_euclid(1_000);
        let signature = self.key.as_ref().map(|key| key.sign(&id, seconds, &body));
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let all = request.headers_mut();
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let agent = concat!("odrwatch/", env!("CARGO_PKG_VERSION"));
        all.insert(USER_AGENT, HeaderValue::from_static(agent));
        if let Some(authorization) = &self.authorization {
            all.insert(AUTHORIZATION, authorization.clone());
        }
        let mut text = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                all.insert(HeaderName::from_static(name), value);
            }
        };
        text("webhook-id", &id);
        text("webhook-timestamp", &seconds.to_string());
        if let Some(signature) = signature {
            text("webhook-signature", &signature);
        }
        for (name, value) in headers {
            all.insert(name, value);
        }
        request
    }
}

fn tls(is_secure: bool, authorities: Option<&str>) -> Result<ClientConfig, CourierError> {
    let mut roots = RootCertStore::empty();
    if is_secure {
        // What of the system's store cannot be read is missed at most by this receiver.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    for certificate in CertificateDer::pem_slice_iter(authorities.unwrap_or("").as_bytes()) {
        let certificate = certificate.map_err(|error| CourierError::Tls(error.to_string()))?;
        roots.add(certificate).map_err(|error| CourierError::Tls(error.to_string()))?;
    }
    if is_secure && roots.is_empty() {
        return Err(CourierError::NoAuthorities);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| CourierError::Tls(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// An error with its causes, which alone say what happened.
fn words_of(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !words.contains(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        cause = next.source();
    }
    words
}

fn answer_of(status: StatusCode) -> Answer {
    match status.as_u16() {
        200..=299 => Answer::Taken,
        // Of the place and who may send there, not of what is sent.
        300..=399 | 401 | 402 | 403 | 404 | 405 | 407 | 410 | 421 | 426 | 451 => Answer::Refused,
        408 | 425 | 429 => Answer::Busy,
        400..=499 => Answer::Rejected,
        _ => Answer::Busy,
    }
}

/// The wait that an answer asks for, if it says so in seconds.
fn wait_of(headers: &HeaderMap) -> Option<i64> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    let wait = Duration::from_secs(seconds).min(LONGEST_WAIT);
    i64::try_from(wait.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(url: &str) -> Destination {
        Destination {
            url: url.to_owned(),
            token: Some("canary".to_owned()),
            key: Some(SigningKey::of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
            authorities: None,
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn what_is_about_the_place_is_told_from_what_is_about_the_alert() {
        for (status, answer) in [
            (200, Answer::Taken),
            (204, Answer::Taken),
            (301, Answer::Refused),
            (307, Answer::Refused),
            (400, Answer::Rejected),
            (401, Answer::Refused),
            (404, Answer::Refused),
            (408, Answer::Busy),
            (413, Answer::Rejected),
            (422, Answer::Rejected),
            (429, Answer::Busy),
            (500, Answer::Busy),
            (503, Answer::Busy),
        ] {
            assert_eq!(answer_of(StatusCode::from_u16(status).unwrap()), answer, "{status}");
        }
    }

    #[test]
    fn a_wait_is_taken_in_seconds_and_bounded() {
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            wait_of(&headers)
        };
        assert_eq!(wait("7"), Some(7_000));
        assert_eq!(wait("999999999"), Some(600_000));
        assert_eq!(wait("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(wait_of(&HeaderMap::new()), None);
    }

    #[test]
    fn a_request_is_signed_and_shows_its_token_to_the_receiver_only() {
        let courier = Courier::new(&to("http://127.0.0.1:9/hook?a=b")).unwrap();
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
            body: Bytes::from_static(b"{\"test\": 2432232314}"),
            headers: vec![(HeaderName::from_static("x-more"), HeaderValue::from_static("1"))],
        };
        let request = courier.request(message, 1_614_265_330_999);
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(request.uri(), "http://127.0.0.1:9/hook?a=b");
        assert_eq!(header("webhook-timestamp"), "1614265330");
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(header("webhook-signature"), signature);
        assert_eq!(
            (header("authorization"), header("x-more")),
            ("Bearer canary".into(), "1".into())
        );
        let shown = format!("{courier:?} {request:?} {:?}", to("http://x"));
        assert!(!shown.contains("MfKQ") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let to = Destination { authorities: Some(bad.to_owned()), ..to("https://x.example/") };
        assert!(matches!(Courier::new(&to), Err(CourierError::Tls(_))));
    }
}
