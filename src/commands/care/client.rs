//! Asking a running odrwatch over HTTP: one question, one connection, one answer of JSON.
//!
//! Invariants: the token is shown nowhere; an answer has a greatest size and a longest time. Absent
//! on purpose: TLS, which a proxy before the service may have: ask the process itself.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::commands::exit::ExitCode;
use crate::commands::failure::Failure;

/// The longest that a question may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer, in bytes: far above that of a page of any list.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// A running service.
pub(super) struct Client {
    authority: String,
    /// `host:port`.
    address: String,
    /// Before every path, without a slash at its end.
    prefix: String,
    token: Option<String>,
}

/// Why a service was not asked, or did not answer as it should.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("{0:?} is no address of a service; write one such as http://127.0.0.1:9464")]
    Url(String),
    #[error("{0} cannot be asked by https; ask the process itself, by http")]
    Tls(String),
    #[error(
        "{address} does not answer ({why}); is odrwatch running there? Name it by --url, or read a \
         replay's results by --from"
    )]
    NoAnswer { address: String, why: String },
    #[error("{address} refuses: {message} {hint}")]
    Refused { address: String, message: String, hint: String },
    #[error("{address} answers with {what}; is it an odrwatch of this version?")]
    Other { address: String, what: String },
}

impl AskError {
    fn failure(self, code: ExitCode) -> Failure {
        Failure::new(code, self)
    }
}

impl Client {
    /// The way to a service.
    ///
    /// # Errors
    /// 64 for what is no address.
    pub(super) fn new(url: &str, token: Option<String>) -> Result<Self, Failure> {
        let wrong = || AskError::Url(url.to_owned()).failure(ExitCode::Usage);
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: Uri = full.parse().map_err(|_| wrong())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(AskError::Tls(url.to_owned()).failure(ExitCode::Usage)),
            _ => return Err(wrong()),
        }
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(wrong());
        }
        Ok(Self {
            address: format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80)),
            authority: authority.to_string(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// The answer to a question.
    ///
    /// # Errors
    /// 69 where nobody answers, 77 where the token is missing or wrong, 75 where there is too much
    /// to do, 64 where the question is wrong.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        let asked = tokio::time::timeout(PATIENCE, self.exchange(path)).await;
        let address = || self.authority.clone();
        let none = |why: String| {
            AskError::NoAnswer { address: address(), why }.failure(ExitCode::Unavailable)
        };
        let (status, body) = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return Err(none(why)),
            Err(_) => return Err(none(format!("not within {} s", PATIENCE.as_secs()))),
        };
        let value: Option<Value> = serde_json::from_slice(&body).ok();
        match value {
            Some(value) if status == StatusCode::OK => Ok(value),
            Some(value) if value.get("error").is_some() => {
                let text = |name: &str| value["error"][name].as_str().unwrap_or("").to_owned();
                let code = match status {
                    StatusCode::UNAUTHORIZED => ExitCode::Refused,
                    StatusCode::BAD_REQUEST => ExitCode::Usage,
                    StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                        ExitCode::Temporary
                    }
                    _ => ExitCode::Unavailable,
                };
                let (message, hint) = (text("message"), text("hint"));
                Err(AskError::Refused { address: address(), message, hint }.failure(code))
            }
            _ => {
                let what = format!("status {}", status.as_u16());
                Err(AskError::Other { address: address(), what }.failure(ExitCode::Unavailable))
            }
        }
    }

    async fn exchange(&self, path: &str) -> Result<(StatusCode, Bytes), String> {
        let told = |error: &dyn std::error::Error| {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            text
        };
        let stream = TcpStream::connect(&self.address).await.map_err(|error| told(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| told(&error))?;
        let mut request = Request::get(format!("{}{path}", self.prefix))
            .header(header::HOST, &self.authority)
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| told(&error))?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|error| told(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| error.to_string())?;
            Ok((status, body.to_bytes()))
        };
        // What goes wrong with the connection is told by the exchange over it.
        let moving = async {
            let _ = connection.await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = answer => answer,
            () = moving => unreachable!("it moves the connection for as long as there is one"),
        }
    }
}

/// A text as the value of a parameter.
pub(super) fn encoded(text: &str) -> String {
    let code = |byte: u8| match byte {
        plain if plain.is_ascii_alphanumeric() || b"-._~".contains(&plain) => {
            char::from(plain).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_what_is_left_out_is_filled_in() {
        let of = |url: &str| {
            let client = Client::new(url, None).ok()?;
            Some((client.address, client.prefix))
        };
        let some = |address: &str, prefix: &str| Some((address.to_owned(), prefix.to_owned()));
        assert_eq!(of("127.0.0.1:9464"), some("127.0.0.1:9464", ""));
        assert_eq!(of("http://odr.example/"), some("odr.example:80", ""));
        assert_eq!(of("http://[::1]:80/odr/"), some("[::1]:80", "/odr"));
        for wrong in ["https://odr.example", "ftp://x", "http://", "http://a@b", "http://a?b", " "]
        {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn parameters_are_encoded_byte_by_byte() {
        assert_eq!(encoded("A-b_1.~"), "A-b_1.~");
        assert_eq!(encoded("a b&c=é"), "a%20b%26c%3D%C3%A9");
    }
}
