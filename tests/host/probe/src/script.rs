//! Runs a list of steps on a Postgres connection and tells what came of each.
//!
//! ```json
//! {"address": "postgres://...", "open": "open-async", "times": 1,
//!  "steps": [{"query": ["select $1", [{"int32": 1}]]}, {"execute": ["begin", []]}, "trap"]}
//! ```

use serde::Deserialize;
use serde_json::{Value, json};
use spin_sdk::pg::PgError;
use spin_sdk::pg::wit::postgres::{Connection, ConnectionBuilder};

use super::values::{Parameter, column, error, row};

#[derive(Deserialize)]
struct Script {
    address: String,
    #[serde(default)]
    open: How,
    /// How many connections to open; the steps use the last.
    #[serde(default = "one")]
    times: u32,
    root_certificate: Option<String>,
    #[serde(default)]
    steps: Vec<Step>,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
/// The function that opens.
enum How {
    Open,
    #[default]
    OpenAsync,
    Build,
    BuildAsync,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Step {
    Query(String, Vec<Parameter>),
    QuerySync(String, Vec<Parameter>),
    Execute(String, Vec<Parameter>),
    ExecuteSync(String, Vec<Parameter>),
    /// Reads so many rows of a query and drops the rest.
    First(String, usize),
    /// Makes so many connection builders and keeps them.
    Builders(usize),
    /// Keeps the connection past the end of the request, in the instance.
    Keep,
    Trap,
}

/// Runs the script in `body`.
pub(crate) async fn run(body: &[u8]) -> Value {
    let script: Script = match serde_json::from_slice(body) {
        Ok(script) => script,
        Err(error) => return json!({"script": error.to_string()}),
    };
    let mut connections = Vec::new();
    for _ in 0..script.times {
        match open(&script).await {
            Ok(connection) => connections.push(connection),
            Err(failure) => return json!({"opened": connections.len(), "open_error": error(&failure)}),
        }
    }
    let opened = connections.len();
    let mut results = Vec::new();
    for step in script.steps {
        results.push(take(step, &mut connections).await);
    }
    json!({"opened": opened, "results": results})
}

#[cfg_attr(
    not(target_family = "wasm"),
    expect(clippy::result_large_err, reason = "the error is the one that the WIT describes")
)]
async fn open(script: &Script) -> Result<Connection, PgError> {
    let address = &script.address;
    let builder = || {
        let builder = ConnectionBuilder::new(address);
        match &script.root_certificate {
            Some(certificate) => builder.set_ca_root(certificate).map(|()| builder),
            None => Ok(builder),
        }
    };
    match script.open {
        How::Open => Connection::open(address),
        How::OpenAsync => Connection::open_async(address.clone()).await,
        How::Build => builder()?.build(),
        How::BuildAsync => builder()?.build_async().await,
    }
}

async fn take(step: Step, connections: &mut Vec<Connection>) -> Value {
    let Some(connection) = connections.last() else {
        return json!({"script": "no connection"});
    };
    match step {
        Step::Query(statement, parameters) => query(connection, statement, parameters).await,
        Step::QuerySync(statement, parameters) => match connection.query(&statement, &encode(parameters)) {
            Ok(set) => json!({
                "columns": set.columns.iter().map(column).collect::<Vec<_>>(),
                "rows": set.rows.iter().map(|values| row(values)).collect::<Vec<_>>(),
            }),
            Err(failure) => json!({"error": error(&failure)}),
        },
        Step::Execute(statement, parameters) => affected(connection.execute_async(statement, encode(parameters)).await),
        Step::ExecuteSync(statement, parameters) => affected(connection.execute(&statement, &encode(parameters))),
        Step::First(statement, count) => first(connection, statement, count).await,
        Step::Builders(count) => {
            let builders: Vec<_> = (0..count).map(|_| ConnectionBuilder::new("host=localhost")).collect();
            json!({"builders": builders.len()})
        }
        Step::Keep => {
            // Leaked on purpose: it lives as long as the instance.
            if let Some(connection) = connections.pop() {
                std::mem::forget(connection);
            }
            json!({"kept": true})
        }
        Step::Trap => panic!("the probe was asked to trap"),
    }
}

fn encode(parameters: Vec<Parameter>) -> Vec<spin_sdk::pg::ParameterValue> {
    parameters.into_iter().map(Into::into).collect()
}

fn affected(result: Result<u64, PgError>) -> Value {
    match result {
        Ok(affected) => json!({"affected": affected}),
        Err(failure) => json!({"error": error(&failure)}),
    }
}

/// An error of the call is `error`, one that came after the columns is `late_error`.
async fn query(connection: &Connection, statement: String, parameters: Vec<Parameter>) -> Value {
    let (columns, mut stream, outcome) = match connection.query_async(statement, encode(parameters)).await {
        Ok(result) => result,
        Err(failure) => return json!({"error": error(&failure)}),
    };
    let mut rows = Vec::new();
    while let Some(values) = stream.next().await {
        rows.push(row(&values));
    }
    let columns: Vec<_> = columns.iter().map(column).collect();
    match outcome.await {
        Ok(()) => json!({"columns": columns, "rows": rows}),
        Err(failure) => json!({"columns": columns, "rows": rows, "late_error": error(&failure)}),
    }
}

async fn first(connection: &Connection, statement: String, count: usize) -> Value {
    let (_, mut stream, _) = match connection.query_async(statement, Vec::new()).await {
        Ok(result) => result,
        Err(failure) => return json!({"error": error(&failure)}),
    };
    let mut rows = Vec::new();
    while rows.len() < count
        && let Some(values) = stream.next().await
    {
        rows.push(row(&values));
    }
    json!({"rows": rows})
}
