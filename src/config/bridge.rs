//! The section `bridge`, checked: where alerts are sent on to, and with which secrets.
//!
//! Invariant: a bridge that is on has an address that can be used, without a secret in it.

use std::time::Duration;

use hyper::Uri;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::check::quoted;
use super::checked::{Checker, name, narrow};
use super::errors::Origin;
use super::layers;
use super::properties::{Secret, secret_of};
use super::raw_bridge::RawBridge;
pub use super::raw_bridge::{BridgeStart, BridgeTarget};

/// What stands behind the group of odrwatch in that of its bridge.
const SUFFIX: &str = "-bridge";

/// The lengths that a secret which signs may have.
const SECRET_CHARACTERS: std::ops::RangeInclusive<usize> = 16..=1024;

/// The lengths that a token may have; receivers make them.
const TOKEN_CHARACTERS: std::ops::RangeInclusive<usize> = 1..=4096;

/// Where alerts are sent on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeConfig {
    /// What kind of receiver it is.
    pub target: BridgeTarget,
    /// Its address; empty where there is none.
    pub url: String,
    /// The consumer group.
    pub group: String,
    /// Where to begin at the very first start.
    pub start: BridgeStart,
    /// Alerts that may be under way at once (1..=256).
    pub concurrency: usize,
    /// How long one answer may take (100 ms..=2 min).
    pub timeout: Duration,
    /// The longest wait between two tries (100 ms..=1 h).
    pub max_backoff: Duration,
    /// The file of the token, as it is stated.
    pub token_file: Option<String>,
    /// The token; none also where secrets are not read.
    pub token: Option<Secret>,
    /// The file of the secret that signs, as it is stated.
    pub signing_secret_file: Option<String>,
    /// The secret that signs; none also where secrets are not read.
    pub signing_secret: Option<Secret>,
    /// The file of further authorities, as it is stated.
    pub ca_file: Option<String>,
    /// Their certificates, in PEM; none also where secrets are not read.
    pub authorities: Option<String>,
    /// Between two repetitions of what is up (1 s..=1 h).
    pub repeat: Duration,
    /// Whether an alert that is always up goes with them.
    pub heartbeat: bool,
}

/// Checks the section; mistakes go to the checker.
pub(super) fn bridge(raw: RawBridge, odrwatch: &str, checker: &mut Checker<'_>) -> BridgeConfig {
    let group = raw.group.unwrap_or_else(|| format!("{odrwatch}{SUFFIX}"));
    if checker.merged.origin("bridge.group") != Origin::Default {
        name("bridge.group", &group, checker);
    }
    if group == odrwatch {
        let keys = ["bridge.group", "kafka.group"].map(str::to_owned);
        let hint = "leave it out: it is then kafka.group with -bridge behind it".to_owned();
        checker.contradiction(&keys, "is the group of the inputs, too", Some(hint));
    }
    let url = url(raw.url.as_deref(), raw.target, checker);
    let allowed = "a file with visible ASCII characters in one line";
    let token = raw
        .token_file
        .as_deref()
        .and_then(|path| secret("bridge.token_file", path, &TOKEN_CHARACTERS, allowed, checker));
    let allowed = "a file with 16 to 1024 visible ASCII characters";
    let signing_secret = raw.signing_secret_file.as_deref().and_then(|path| {
        secret("bridge.signing_secret_file", path, &SECRET_CHARACTERS, allowed, checker)
    });
    let authorities = raw.ca_file.as_deref().and_then(|path| authorities(path, checker));
    BridgeConfig {
        target: raw.target,
        url,
        group,
        start: raw.start,
        concurrency: narrow(raw.concurrency),
        timeout: Duration::from_millis(raw.timeout_ms),
        max_backoff: Duration::from_millis(raw.max_backoff_ms),
        token,
        token_file: raw.token_file,
        signing_secret,
        signing_secret_file: raw.signing_secret_file,
        authorities,
        ca_file: raw.ca_file,
        repeat: Duration::from_millis(raw.repeat_ms),
        heartbeat: raw.heartbeat,
    }
}

fn url(stated: Option<&str>, target: BridgeTarget, checker: &mut Checker<'_>) -> String {
    const ALLOWED: &str = "http://HOST:PORT/PATH or https://HOST/PATH";
    let Some(text) = stated else {
        if target != BridgeTarget::Off {
            let keys = ["bridge.target", "bridge.url"].map(str::to_owned);
            let problem = "is on, and bridge.url does not say where to";
            checker.contradiction(&keys, problem, Some("state bridge.url".to_owned()));
        }
        return String::new();
    };
    let uri = text.parse::<Uri>().ok();
    let scheme = uri.as_ref().and_then(Uri::scheme_str);
    let authority = uri.as_ref().and_then(Uri::authority);
    let is_url = matches!(scheme, Some("http" | "https")) && !text.contains('#');
    match authority {
        // Messages show the address, so that no password may be in it.
        Some(authority) if authority.as_str().contains('@') => {
            let hint = "state a token in bridge.token_file".to_owned();
            checker.mistake("bridge.url", "has a user in it", Some(ALLOWED), Some(hint));
        }
        Some(authority) if is_url && !authority.host().is_empty() => {}
        _ => {
            let problem = format!("is {}, which is no such address", quoted(text));
            checker.mistake("bridge.url", &problem, Some(ALLOWED), None);
        }
    }
    text.to_owned()
}

/// The text of a file that a key names; none where secrets are not read, or it cannot be.
fn text_of(key: &str, path: &str, allowed: &str, checker: &mut Checker<'_>) -> Option<String> {
    if !checker.read_secrets {
        return None;
    }
    let path = match checker.merged.origin(key) {
        Origin::File { path: from, .. } => layers::beside(&from, path),
        _ => path.into(),
    };
    match layers::read(&path) {
        Ok(text) => Some(text),
        Err(problem) => {
            let problem = format!("names {}, which {problem}", path.display());
            checker.mistake(key, &problem, Some(allowed), None);
            None
        }
    }
}

fn secret(
    key: &str,
    path: &str,
    lengths: &std::ops::RangeInclusive<usize>,
    allowed: &str,
    checker: &mut Checker<'_>,
) -> Option<Secret> {
    let text = text_of(key, path, allowed, checker)?;
    let fits = |secret: &Secret| {
        let text = secret.expose();
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let found = secret_of(&text).ok().filter(fits);
    if found.is_none() {
        let problem = format!("names {}, which holds nothing that can be used", quoted(path));
        let hint = "make one with: openssl rand -hex 32".to_owned();
        checker.mistake(key, &problem, Some(allowed), Some(hint));
    }
    found
}

fn authorities(path: &str, checker: &mut Checker<'_>) -> Option<String> {
    let allowed = "a file with certificates in PEM";
    let text = text_of("bridge.ca_file", path, allowed, checker)?;
    let mut count = 0;
    let is_right = CertificateDer::pem_slice_iter(text.as_bytes()).all(|found| {
        count += 1;
        found.is_ok()
    });
    if is_right && count > 0 {
        return Some(text);
    }
    let problem = format!("names {}, which holds no certificate", quoted(path));
    checker.mistake("bridge.ca_file", &problem, Some(allowed), None);
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tempfile::NamedTempFile;

    use super::*;
    use crate::config::{Config, ConfigErrors, Sources, load};

    fn set(sets: &[&str]) -> Result<Config, ConfigErrors> {
        let sets = sets.iter().map(|text| (*text).to_owned()).collect();
        load(&Sources { sets, host_name: Some("host-1".to_owned()), ..Sources::default() })
    }

    fn mistakes(sets: &[&str]) -> String {
        set(sets).unwrap_err().to_string()
    }

    fn file(text: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn it_is_off_unless_a_target_and_an_address_are_stated() {
        let off = set(&[]).unwrap().bridge;
        assert_eq!((off.target, off.group.as_str()), (BridgeTarget::Off, "odrwatch-bridge"));
        let on = set(&["bridge.target=webhook", "bridge.url=https://x.example/hook?a=b"]);
        assert_eq!(on.unwrap().bridge.url, "https://x.example/hook?a=b");
        let said = mistakes(&["bridge.target=alertmanager"]);
        assert!(said.contains("bridge.url does not say where to"), "{said}");
    }

    #[test]
    fn an_address_is_http_and_has_no_secret_in_it() {
        for wrong in ["x", "ftp://x/", "http://", "https:///x", "http://x/#y", "/x", "http:// x/"] {
            let said = mistakes(&["bridge.target=webhook", &format!("bridge.url={wrong}")]);
            assert!(said.contains("bridge.url"), "{wrong}: {said}");
        }
        let said = mistakes(&["bridge.target=webhook", "bridge.url=http://user:canary@x/"]);
        assert!(said.contains("has a user in it") && !said.contains("canary"), "{said}");
        for right in ["http://127.0.0.1:9093", "http://[::1]:9093/am", "https://x.example"] {
            assert!(set(&[&format!("bridge.url={right}")]).is_ok(), "{right}");
        }
    }

    #[test]
    fn its_group_is_not_that_of_the_inputs() {
        let said = mistakes(&["kafka.group=a", "bridge.group=a"]);
        assert!(said.contains("is the group of the inputs"), "{said}");
        assert!(mistakes(&["bridge.group=a b"]).contains("no usable name"));
    }

    #[test]
    fn files_of_secrets_and_certificates_are_read_and_told_if_they_are_none() {
        let token = file("a-token\n");
        let secret = file("0123456789abcdef\n");
        let paths = [token.path().display(), secret.path().display()];
        let bridge = set(&[
            &format!("bridge.token_file={}", paths[0]),
            &format!("bridge.signing_secret_file={}", paths[1]),
        ])
        .unwrap()
        .bridge;
        assert_eq!(bridge.token.as_ref().map(Secret::expose), Some("a-token"));
        assert!(!format!("{bridge:?}").contains("0123456789abcdef"));
        let said = mistakes(&[
            &format!("bridge.signing_secret_file={}", paths[0]),
            &format!("bridge.ca_file={}", paths[1]),
            "bridge.token_file=/nowhere/token",
        ]);
        for words in ["holds nothing that can be used", "holds no certificate", "cannot be read"] {
            assert!(said.contains(words), "{words} in {said}");
        }
        assert!(!said.contains("a-token") && !said.contains("0123456789"), "{said}");
    }
}
