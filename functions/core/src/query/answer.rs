//! Answers: what the database found, and which question it is the answer to.

use super::cursor;
use super::question::Query;
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What `api.query_metrics` answers to a question.
#[derive(Debug, Deserialize)]
pub struct Found {
    series: Box<RawValue>,
    meta: Box<RawValue>,
    next_after: Option<Box<RawValue>>,
}

/// What the client is answered: one answer, or several in the order of the questions.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answers {
    /// To a question that came by itself.
    Single(Box<Answer>),
    /// To several.
    Several {
        /// In the order of the questions.
        results: Vec<Answer>,
    },
}

/// The answer to a question.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// As it was understood.
    pub query: Query,
    /// The series, as the database wrote them.
    pub series: Box<RawValue>,
    meta: Box<RawValue>,
    /// What the next page of groups is asked for with.
    pub next_cursor: Option<String>,
}

impl Answers {
    pub(super) fn new(queries: Vec<Query>, found: Vec<Found>, is_single: bool) -> Result<Self, Problem> {
        let answer = |(query, Found { series, meta, next_after }): (Query, Found)| {
            let next_cursor = next_after.map(|after| Ok(cursor::write(&query.hash()?, &after))).transpose()?;
            Ok(Answer { query, series, meta, next_cursor })
        };
        let mut results = queries.into_iter().zip(found).map(answer).collect::<Result<Vec<_>, Problem>>()?;
        Ok(match results.pop() {
            Some(answer) if is_single => Self::Single(Box::new(answer)),
            last => {
                results.extend(last);
                Self::Several { results }
            }
        })
    }
}
