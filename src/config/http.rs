//! The section `http`, checked: where it listens, and whom it answers.
//!
//! Invariant: an address that other machines reach comes with a token, or with the plain statement
//! that none is wanted.

use std::net::SocketAddr;

use super::check::quoted;
use super::checked::{Checker, is_server};
use super::errors::Origin;
use super::layers;
use super::properties::{Secret, secret_of};
use super::raw::RawHttp;

/// The lengths that a token may have.
const TOKEN_CHARACTERS: std::ops::RangeInclusive<usize> = 16..=1024;

/// Where HTTP listens, and whom it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `host:port` by which others reach it, where that is stated.
    pub advertise: Option<String>,
    /// The file of the token, as it is stated.
    pub token_file: Option<String>,
    /// The token; none also where secrets are not read.
    pub token: Option<Secret>,
    /// Whether everybody who reaches the address may ask.
    pub insecure: bool,
    /// Names under which the service is reached.
    pub allowed_hosts: Vec<String>,
}

/// Why an address is refused: others reach it, and nothing is asked of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "other machines reach {0}, and the API would answer everybody; state http.token_file (a file \
     with a token), or http.insecure: true where something else keeps others out"
)]
pub struct Exposed(pub SocketAddr);

impl HttpConfig {
    /// Whether HTTP may listen on an address.
    ///
    /// # Errors
    /// [`Exposed`] where others reach it, no token is asked for and that is not wanted.
    pub fn may_listen(&self, address: SocketAddr) -> Result<(), Exposed> {
        let is_local = address.ip().to_canonical().is_loopback();
        let is_guarded = self.token_file.is_some() || self.insecure;
        if is_local || is_guarded { Ok(()) } else { Err(Exposed(address)) }
    }

    /// `host:port` by which others reach the server that listens on an address: what is stated,
    /// else the address itself; none where it stands for every address of the machine.
    #[must_use]
    pub fn advertised(&self, bound: SocketAddr) -> Option<String> {
        let own = (!bound.ip().is_unspecified()).then(|| bound.to_string());
        self.advertise.clone().or(own)
    }
}

/// Checks the section; mistakes go to the checker.
pub(super) fn http(raw: RawHttp, checker: &mut Checker<'_>) -> HttpConfig {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = raw.listen.parse().unwrap_or_else(|_| {
        let problem = format!("is {}, which is no address", quoted(&raw.listen));
        let allowed = "ADDRESS:PORT such as 127.0.0.1:9464, 0.0.0.0:9464 or [::]:9464";
        checker.mistake("http.listen", &problem, Some(allowed), None);
        local
    });
    if let Some(advertise) = raw.advertise.as_deref()
        && !(advertise.contains(':') && is_server(advertise))
    {
        let problem = format!("is {}, which is no such address", quoted(advertise));
        checker.mistake("http.advertise", &problem, Some("HOST:PORT"), None);
    }
    let token = raw.token_file.as_deref().and_then(|path| token(path, checker));
    let config = HttpConfig {
        listen,
        advertise: raw.advertise,
        token,
        token_file: raw.token_file,
        insecure: raw.insecure,
        allowed_hosts: hosts(&raw.allowed_hosts, checker),
    };
    if config.may_listen(listen).is_err() {
        let keys = ["http.listen", "http.token_file", "http.insecure"].map(str::to_owned);
        let problem = format!("is {listen}, which other machines reach, and no token is asked for");
        let hint =
            "state http.token_file, or http.insecure=true if something else keeps others out";
        checker.contradiction(&keys, &problem, Some(hint.to_owned()));
    }
    config
}

fn token(path: &str, checker: &mut Checker<'_>) -> Option<Secret> {
    if !checker.read_secrets {
        return None;
    }
    let path = match checker.merged.origin("http.token_file") {
        Origin::File { path: from, .. } => layers::beside(&from, path),
        _ => path.into(),
    };
    let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = |token: &Secret| {
        let token = token.expose();
        TOKEN_CHARACTERS.contains(&token.len()) && is_visible(token)
    };
    let allowed = "a file with 16 to 1024 visible ASCII characters";
    let found = layers::read(&path).and_then(|text| secret_of(&text));
    match found {
        Ok(token) if fits(&token) => Some(token),
        Ok(_) => {
            let problem = format!("names {}, which holds no usable token", path.display());
            let hint = "make one with: openssl rand -hex 32".to_owned();
            checker.mistake("http.token_file", &problem, Some(allowed), Some(hint));
            None
        }
        Err(problem) => {
            let problem = format!("names {}, which {problem}", path.display());
            checker.mistake("http.token_file", &problem, Some(allowed), None);
            None
        }
    }
}

fn hosts(text: &str, checker: &mut Checker<'_>) -> Vec<String> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let is_host = |name: &str| {
        let is_name = !name.contains(':') && name.bytes().all(is_letter);
        is_name || name.parse::<std::net::Ipv6Addr>().is_ok()
    };
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut hosts = Vec::new();
    for name in names {
        if is_host(name) {
            hosts.push(name.to_ascii_lowercase());
        } else {
            let problem = format!("has {}, which is no name of a host", quoted(name));
            let allowed = "names without scheme and port, separated by commas";
            checker.mistake("http.allowed_hosts", &problem, Some(allowed), None);
        }
    }
    hosts
}
