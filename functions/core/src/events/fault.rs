//! Why an event is rejected.

/// A reason to reject one event.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

pub(super) fn fault(code: &'static str, detail: impl Into<String>) -> Fault {
    Fault { code, detail: detail.into() }
}

/// What is no JSON, or has not the fields of an event.
pub(super) fn unreadable(error: &serde_json::Error) -> Fault {
    fault("invalid_event", format!("The event cannot be read: {error}."))
}

/// What a code of the database means to the sender.
pub(super) fn explain(code: &str) -> &'static str {
    match code {
        "store_required" => "`store_id` is needed: the credential is not tied to one store.",
        "unknown_store" => "There is no such store in the organization.",
        "unknown_metric" => "There is no such metric: GET /v1/metrics lists those there are.",
        "derived_metric" => "The metric is a ratio of others and has no events: send those of its two sides.",
        "out_of_range" => {
            "`recorded_at` must be after 1970, at most a day ahead, and not so old that its month is closed."
        }
        _ => "The event was not taken.",
    }
}
