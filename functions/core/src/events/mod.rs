//! `POST /v1/events`: reads a batch, event by event, so that one bad event does not spoil the others.
//!
//! What is decided here is form: fields, numbers, times. Whether a store or a metric exists, the database knows.

mod batch;
mod binary;
mod builder;
mod cloud_event;
mod columns;
mod currency;
mod decimal;
mod deletion;
mod dimensions;
mod encoding;
mod event;
mod fault;
mod format;
mod instant;
mod json;
mod name;
mod ndjson;
mod on_conflict;
mod order;
mod reading;
mod receipt;
mod rejected;
mod texts;

pub use batch::Batch;
pub use binary::Context;
pub use columns::{Columns, Lines, Row, SeriesColumns};
pub use currency::CURRENCIES;
pub(crate) use decimal::as_written;
pub use deletion::{Deleted, Deletion, DeletionReceipt, MAX_DELETION_BYTES, Refusal};
pub use encoding::Encoding;
pub use format::Format;
pub use on_conflict::OnConflict;
pub use receipt::{Receipt, ReceiptError, Stored};
pub use rejected::{Known, Rejection};
pub use texts::Texts;

/// The largest body, bytes, as it is sent and once it is decompressed: what the cloud hosts let through.
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// The most events in a request.
pub const MAX_EVENTS: usize = 5_000;
/// Who sent an event, when it does not say.
const DEFAULT_SOURCE: &str = "api";
/// The largest event, bytes of its JSON.
pub const MAX_EVENT_BYTES: usize = 32 * 1024;
