//! The signature of what is sent: [Standard Webhooks], version 1.
//!
//! `webhook-signature: v1,BASE64` is the HMAC-SHA256 of `ID.TIMESTAMP.BODY`, where `webhook-id` and
//! `webhook-timestamp` (seconds) are sent beside it. A receiver that checks all three knows that
//! the body is from here, unchanged, and not an old one again.
//!
//! [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What the secret begins with where it is written in base64.
const PREFIX: &str = "whsec_";

/// A key that signs. It is shown by nothing.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKey([redacted])")
    }
}

impl SigningKey {
    /// The key that a secret stands for: `whsec_` and base64, or the bytes of any other text.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        let coded = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        Self(coded.unwrap_or_else(|| secret.as_bytes().to_vec()))
    }

    /// The header's value for a body that is sent under an id at a time, in seconds.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_signed_as_it_says() {
        // From the specification's own test of its libraries.
        let key = SigningKey::of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed =
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn another_text_is_taken_as_it_is_and_shown_by_nothing() {
        let key = SigningKey::of("canary canary canary");
        assert_eq!(key.0, b"canary canary canary");
        assert!(!format!("{key:?}").contains("canary"));
    }
}
