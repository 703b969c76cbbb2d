//! The one table from what Postgres says (SQLSTATE, constraint) to the problem it is for a client.

use crate::problem::Kind;

/// What the server said of a failed statement. Its detail is left out on purpose: it can quote rows.
#[derive(Debug, thiserror::Error)]
#[error("{severity} {code}: {message}{}", constraint.as_deref().map(|name| format!(" ({name})")).unwrap_or_default())]
pub struct ServerError {
    /// ERROR, FATAL or PANIC.
    pub severity: String,
    /// SQLSTATE, five characters.
    pub code: String,
    /// The primary message.
    pub message: String,
    /// The constraint that was violated, if one was.
    pub constraint: Option<String>,
}

/// Matches a SQLSTATE, or a whole class by its first two characters.
struct Rule {
    code: &'static str,
    constraint: Option<&'static str>,
    kind: Kind,
}

const fn rule(code: &'static str, kind: Kind) -> Rule {
    Rule { code, constraint: None, kind }
}

/// The first rule that matches decides. Class TH is raised by the `api` functions themselves (`sql/README.md`).
const RULES: &[Rule] = &[
    rule("TH001", Kind::InvalidApiKey),
    rule("TH002", Kind::NotAMember),
    rule("TH003", Kind::Forbidden),
    rule("TH004", Kind::UnknownStore),
    rule("TH005", Kind::UnknownMetric),
    rule("TH006", Kind::InvalidQuery),
    rule("TH007", Kind::UnknownTimeZone),
    rule("TH008", Kind::TooManyMonths),
    rule("TH015", Kind::UnknownOrganization),
    rule("TH020", Kind::UnknownApiKey),
    rule("TH021", Kind::TooManyApiKeys),
    rule("TH022", Kind::TooManyEvents),
    rule("TH023", Kind::InvalidDefinition),
    rule("TH024", Kind::DefinitionInUse),
    rule("TH025", Kind::UnknownDefinition),
    rule("TH030", Kind::UnknownWorkspace),
    rule("TH031", Kind::MissingExchangeRate),
    rule("TH032", Kind::TooManyRates),
    rule("57014", Kind::DatabaseSlow),        // statement_timeout
    rule("55P03", Kind::DatabaseSlow),        // lock_timeout
    rule("25P03", Kind::DatabaseSlow),        // idle_in_transaction_session_timeout
    rule("40", Kind::DatabaseUnavailable),    // deadlock, serialization failure
    rule("53", Kind::DatabaseUnavailable),    // no connections, memory or disk left
    rule("57P", Kind::DatabaseUnavailable),   // shutting down, starting up
    rule("08", Kind::DatabaseUnavailable),    // connection lost
    rule("25006", Kind::DatabaseUnavailable), // a standby after a fail-over
];

/// The problem for an error of the server, and whether its message is written for the client.
pub fn kind(error: &ServerError) -> (Kind, bool) {
    let rule = RULES.iter().find(|rule| {
        error.code.starts_with(rule.code)
            && rule.constraint.is_none_or(|constraint| error.constraint.as_deref() == Some(constraint))
    });
    (rule.map_or(Kind::Internal, |rule| rule.kind), error.code.starts_with("TH"))
}

/// Whether the statement was given up for the sake of others: a serialization failure or a deadlock.
pub fn is_of_concurrency(error: &ServerError) -> bool {
    ["40001", "40P01"].contains(&error.code.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> ServerError {
        ServerError { severity: "ERROR".into(), code: code.into(), message: "text".into(), constraint: None }
    }

    #[test]
    fn our_own_codes_speak_to_the_client() {
        assert_eq!(kind(&error("TH004")), (Kind::UnknownStore, true));
    }

    #[test]
    fn only_two_codes_are_worth_the_same_statement_again() {
        assert!(is_of_concurrency(&error("40P01")) && is_of_concurrency(&error("40001")));
        for code in ["40002", "40003", "40000", "55P03", "57014", "25006", "TH001"] {
            assert!(!is_of_concurrency(&error(code)), "{code}");
        }
    }

    #[test]
    fn codes_of_the_server_do_not() {
        assert_eq!(kind(&error("57014")), (Kind::DatabaseSlow, false));
        assert_eq!(kind(&error("57P01")), (Kind::DatabaseUnavailable, false));
        assert_eq!(kind(&error("40P01")), (Kind::DatabaseUnavailable, false));
        assert_eq!(kind(&error("23505")), (Kind::Internal, false));
    }
}
