//! The log: one JSON line on stderr for each request that failed on our side, and for what an operator should look at.

use crate::problem::Problem;
use serde::Serialize;
use std::error::Error;

#[derive(Serialize)]
struct Line<'a> {
    level: &'static str,
    message: &'a str,
    #[serde(flatten)]
    request: Option<Request<'a>>,
    causes: Vec<String>,
}

#[derive(Serialize)]
struct Request<'a> {
    function: &'a str,
    request_id: &'a str,
    problem: &'static str,
}

/// Writes a failure with the chain of its causes. Problems of the client's making are told to the client, not here.
pub(super) fn failure(function: &str, request_id: &str, problem: &Problem) {
    let kind = problem.kind();
    write(&Line {
        level: "error",
        message: kind.title(),
        request: Some(Request { function, request_id, problem: kind.code() }),
        causes: problem.source().map(chain).unwrap_or_default(),
    });
}

/// Writes what is wrong though no request need fail for it.
pub(super) fn warning(message: &str, causes: Vec<String>) {
    write(&Line { level: "warning", message, request: None, causes });
}

/// An error and what caused it, outermost first.
pub(super) fn chain(error: &dyn Error) -> Vec<String> {
    std::iter::successors(Some(error), |&cause| cause.source()).map(ToString::to_string).collect()
}

#[expect(clippy::print_stderr, reason = "Spin takes the log of a component from its standard error")]
fn write(line: &Line<'_>) {
    if let Ok(line) = serde_json::to_string(line) {
        eprintln!("{line}");
    }
}
