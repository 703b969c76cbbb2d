//! `/v1/query`: questions for series of metrics, and their answers.

mod answer;
mod compare;
mod cursor;
mod filter;
mod format;
mod question;
mod request;
mod time;
mod url;

pub use answer::{Answers, Found};
pub use format::Format;
pub use question::Query;
pub use request::Questions;

use crate::problem::{Kind, Problem};

/// The largest body, bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

fn invalid(detail: &str) -> Problem {
    Problem::new(Kind::InvalidQuery, detail)
}
