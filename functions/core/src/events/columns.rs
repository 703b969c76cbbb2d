//! A batch as the database takes it.

/// A batch as the database takes it: one array a field, all of one length, each value fit to be cast.
#[derive(Debug, Default)]
pub struct Columns {
    /// The sender's ids.
    pub ids: Vec<Option<String>>,
    /// Keys of metrics.
    pub metrics: Vec<Option<String>>,
    /// Uuids; none where the API key implies the store.
    pub store_ids: Vec<Option<String>>,
    /// Decimals, as they were written.
    pub values: Vec<Option<String>>,
    /// ISO 4217 codes.
    pub currencies: Vec<Option<String>>,
    /// RFC 3339, UTC, microseconds at the most.
    pub recorded_at: Vec<Option<String>>,
    /// Names of senders.
    pub sources: Vec<Option<String>>,
    /// JSON objects of scalars.
    pub dimensions: Vec<Option<String>>,
}
