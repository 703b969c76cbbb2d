//! `GET /v1/events/changes`: which changes of events are asked for.

use crate::page::Page;
use crate::parameters::{Parameters, invalid};
use crate::problem::Problem;

/// What changes have in common; none for any.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes {
    /// `replaced` or `deleted`.
    pub action: Option<String>,
    /// The store of the event, a UUID.
    pub store_id: Option<String>,
    /// The source of the event.
    pub source: Option<String>,
    /// The id of the event.
    pub event_id: Option<String>,
    /// From when on it was changed, RFC 3339.
    pub from: Option<String>,
    /// Until when it was changed, RFC 3339; that instant is not in it.
    pub to: Option<String>,
}

impl Changes {
    /// The parameters of a URL that say it, and which page is asked for.
    pub const PARAMETERS: [&str; 8] =
        ["action", "store_id", "source", "id", "from", "to", Page::PARAMETERS[0], Page::PARAMETERS[1]];

    /// Reads the parameters of a URL.
    pub fn of(parameters: &Parameters) -> Result<Self, Problem> {
        let text = |name| parameters.get(name).map(str::to_owned);
        let time = |name| Ok::<_, Problem>(parameters.instant(name)?.map(|instant| instant.to_string()));
        let action = text("action");
        if action.as_deref().is_some_and(|action| !["replaced", "deleted"].contains(&action)) {
            return Err(invalid("`action` is `replaced` or `deleted`."));
        }
        Ok(Self {
            action,
            store_id: parameters.uuid("store_id")?.map(|id| id.to_string()),
            source: text("source"),
            event_id: text("id"),
            from: time("from")?,
            to: time("to")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Option<Changes> {
        Changes::of(&Parameters::read(query, &Changes::PARAMETERS).ok()?).ok()
    }

    #[test]
    fn every_parameter_narrows() {
        let changes = of("action=deleted&id=order-1&from=2026-11-22T00:00:00Z").unwrap();
        assert_eq!((changes.action.as_deref(), changes.event_id.as_deref()), (Some("deleted"), Some("order-1")));
        assert_eq!((changes.from.as_deref(), changes.to), (Some("2026-11-22T00:00:00Z"), None));
        for query in ["action=made", "store_id=shop", "from=today", "event_id=1"] {
            assert_eq!(of(query), None, "{query}");
        }
    }
}
