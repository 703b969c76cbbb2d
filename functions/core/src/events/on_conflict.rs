//! What the URL says of events that are there already.

use crate::parameters::{Parameters, invalid};
use crate::problem::Problem;

/// What becomes of an event that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// It stays as it is.
    Ignore,
    /// It takes the values it is sent with now.
    Replace,
}

impl OnConflict {
    /// The parameter of the URL that says it.
    pub const PARAMETER: &str = "on_conflict";

    /// Reads it.
    pub fn of(parameters: &Parameters) -> Result<Self, Problem> {
        match parameters.get(Self::PARAMETER) {
            None | Some("ignore") => Ok(Self::Ignore),
            Some("replace") => Ok(Self::Replace),
            Some(_) => Err(invalid("`on_conflict` is `ignore` or `replace`.")),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Option<OnConflict> {
        OnConflict::of(&Parameters::read(query, &[OnConflict::PARAMETER]).ok()?).ok()
    }

    #[test]
    fn a_conflict_is_ignored_unless_the_url_says_otherwise() {
        for query in ["", "on_conflict=ignore"] {
            assert_eq!(of(query), Some(OnConflict::Ignore), "{query}");
        }
        assert_eq!(of("on_conflict=replace"), Some(OnConflict::Replace));
        for query in [
            "on_conflict",
            "on_conflict=",
            "on_conflict=Replace",
            "on_conflict=replace&on_conflict=ignore",
            "on_conflict_=replace",
        ] {
            assert_eq!(of(query), None, "{query}");
        }
    }
}
