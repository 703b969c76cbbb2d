//! Why an event is rejected.

/// A reason to reject one event.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

/// The longest detail, bytes: one may quote what was sent.
const MAX_DETAIL_BYTES: usize = 500;

/// A fault, whose detail is bounded and a text that Postgres takes, whatever of the event is in it.
pub(super) fn fault(code: &'static str, detail: impl Into<String>) -> Fault {
    let mut detail = detail.into();
    // Before the cut, since what stands for a control character is longer than it.
    if detail.contains(char::is_control) {
        detail = detail.replace(char::is_control, "\u{fffd}");
    }
    if detail.len() > MAX_DETAIL_BYTES {
        detail.truncate(detail.floor_char_boundary(MAX_DETAIL_BYTES));
        detail.push('…');
    }
    Fault { code, detail }
}

/// What is no JSON, or has not the fields of an event.
pub(super) fn unreadable(error: &serde_json::Error) -> Fault {
    fault("invalid_event", format!("The event cannot be read: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_that_quotes_the_event_is_bounded_and_plain() {
        let long = fault("invalid_event", format!("a\u{0}b{}", "é".repeat(1_000)));
        assert!(long.detail.starts_with("a\u{fffd}b") && long.detail.ends_with("é…"), "{}", long.detail);
        assert!(long.detail.len() <= MAX_DETAIL_BYTES + 10, "{}", long.detail.len());
        let control = fault("invalid_event", "\u{7f}".repeat(400)).detail;
        assert!(control.len() <= MAX_DETAIL_BYTES + 10 && control.ends_with("\u{fffd}…"), "{}", control.len());
        assert_eq!(fault("invalid_event", "plain").detail, "plain");
    }
}
