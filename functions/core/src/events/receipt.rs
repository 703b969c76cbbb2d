//! What the database answers, and what the client is.

use serde::{Deserialize, Serialize};

/// What `api.ingest_events` answers of a batch within the limits.
#[derive(Debug, Deserialize)]
pub struct Stored {
    pub(super) accepted: usize,
    pub(super) duplicates: usize,
    pub(super) replaced: usize,
    pub(super) errors: Vec<StoredError>,
    /// The ids in the quarantine of the events of bad form, in their order; none for one that is not kept.
    pub(super) rejected_ids: Vec<Option<String>>,
    pub(super) quarantined: usize,
    pub(super) quarantine_full: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct StoredError {
    pub(super) index: usize,
    pub(super) code: String,
    pub(super) detail: String,
    pub(super) quarantine_id: Option<String>,
}

/// What the client is answered, after the commit.
#[derive(Debug, Serialize)]
pub struct Receipt {
    pub(super) accepted: usize,
    pub(super) duplicates: usize,
    pub(super) replaced: usize,
    pub(super) rejected: usize,
    pub(super) quarantined: usize,
    pub(super) quarantine_full: bool,
    pub(super) errors: Vec<ReceiptError>,
}

/// An event that was not taken, and why.
#[derive(Debug, Serialize)]
pub struct ReceiptError {
    pub(super) index: usize,
    pub(super) id: Option<String>,
    pub(super) code: String,
    pub(super) detail: String,
    pub(super) quarantine_id: Option<String>,
}
