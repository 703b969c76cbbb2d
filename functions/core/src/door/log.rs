//! The log: one JSON line on stderr for each request that failed on our side.

use crate::problem::Problem;
use serde::Serialize;
use std::error::Error;

#[derive(Serialize)]
struct Line<'a> {
    level: &'static str,
    message: &'static str,
    function: &'a str,
    request_id: &'a str,
    problem: &'static str,
    causes: Vec<String>,
}

/// Writes a failure with the chain of its causes. Problems of the client's making are told to the client, not here.
pub(super) fn failure(function: &str, request_id: &str, problem: &Problem) {
    let causes = std::iter::successors(problem.source(), |&cause| cause.source()).map(ToString::to_string).collect();
    let kind = problem.kind();
    let line = Line { level: "error", message: kind.title(), function, request_id, problem: kind.code(), causes };
    #[expect(clippy::print_stderr, reason = "Spin takes the log of a component from its standard error")]
    if let Ok(line) = serde_json::to_string(&line) {
        eprintln!("{line}");
    }
}
