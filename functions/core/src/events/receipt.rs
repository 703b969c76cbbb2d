//! What the database answers, and what the client is.

use serde::{Deserialize, Serialize};

/// An event that was not taken, and why.
#[derive(Debug, Serialize)]
pub struct ReceiptError {
    pub(super) index: usize,
    pub(super) id: Option<String>,
    pub(super) code: String,
    pub(super) detail: String,
}

/// What `api.ingest_events` answers.
#[derive(Debug, Deserialize)]
pub struct Stored {
    pub(super) accepted: usize,
    pub(super) duplicates: usize,
    pub(super) replaced: usize,
    pub(super) errors: Vec<StoredError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StoredError {
    pub(super) index: usize,
    pub(super) code: String,
}

/// What the client is answered, after the commit.
#[derive(Debug, Serialize)]
pub struct Receipt {
    pub(super) accepted: usize,
    pub(super) duplicates: usize,
    pub(super) replaced: usize,
    pub(super) rejected: usize,
    pub(super) errors: Vec<ReceiptError>,
}
