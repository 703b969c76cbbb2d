//! What the URL says of events that are there already.

use crate::problem::{Kind, Problem};

/// What becomes of an event that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// It stays as it is.
    Ignore,
    /// It takes the values it is sent with now.
    Replace,
}

impl OnConflict {
    /// Reads `on_conflict` of the URL's parameters. Other parameters are not looked at.
    pub fn from_query(query: &str) -> Result<Self, Problem> {
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut values = pairs.filter(|(name, _)| *name == "on_conflict").map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None | Some("ignore"), None) => Ok(Self::Ignore),
            (Some("replace"), None) => Ok(Self::Replace),
            _ => Err(Problem::new(Kind::InvalidParameter, "`on_conflict` is `ignore` or `replace`, and given once.")),
        }
    }

    /// What the database calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Replace => "replace",
        }
    }
}
