//! An id that is held with the state: without an allocation of its own, unless it is long.

/// The longest text that is held in place, in bytes: the usual ids, and a UUID with a few letters
/// before it. It makes a [`HeldText`] 40 bytes.
const IN_PLACE: usize = 38;

/// A text that is held.
#[derive(Clone, Debug)]
pub(crate) struct HeldText(Form);

#[derive(Clone, Debug)]
enum Form {
    InPlace { length: u8, bytes: [u8; IN_PLACE] },
    Apart(Box<str>),
}

impl HeldText {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Form::InPlace { length, bytes } => std::str::from_utf8(&bytes[..usize::from(*length)])
                .expect("what was a text stays one"),
            Form::Apart(text) => text,
        }
    }
}

impl From<&str> for HeldText {
    fn from(text: &str) -> Self {
        match u8::try_from(text.len()) {
            Ok(length) if text.len() <= IN_PLACE => {
                let mut bytes = [0; IN_PLACE];
                bytes[..text.len()].copy_from_slice(text.as_bytes());
                Self(Form::InPlace { length, bytes })
            }
            _ => Self(Form::Apart(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_comes_back() {
        assert_eq!(size_of::<Option<HeldText>>(), 40);
        for length in [0, 1, IN_PLACE - 1, IN_PLACE, IN_PLACE + 1, 64, 255, 256, 300] {
            let text = "~".repeat(length);
            let held = HeldText::from(text.as_str());
            assert_eq!(held.as_str(), text);
            assert_eq!(matches!(held.0, Form::Apart(_)), length > IN_PLACE);
        }
    }
}
