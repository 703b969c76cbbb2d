//! The texts of events, all in one: what is rejected is kept as it was sent, and nothing is escaped on its way.

use super::columns::Lines;
use std::borrow::Cow;

/// Texts, and how long each of them is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// All of them, one behind the other.
    pub bytes: Vec<u8>,
    /// How long each is, bytes.
    pub lengths: Lines,
}

impl Texts {
    /// These texts, gone through twice: what is to be sent can be as large as a body, and is copied once.
    pub(super) fn of<'a>(texts: impl Iterator<Item = Cow<'a, [u8]>> + Clone) -> Self {
        let mut all = Self { bytes: Vec::with_capacity(texts.clone().map(|text| text.len()).sum()), ..Self::default() };
        for text in texts {
            all.lengths.push(&text.len().to_string());
            all.bytes.extend_from_slice(&text);
        }
        all
    }
}
