//! Statements: what each call of a component sends, and how rows come back.

use std::pin::Pin;

use anyhow::anyhow;
use futures::{Stream, TryStreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{Row, RowStream};

use super::parameters::encode_all;
use super::pool::Connection;
use super::wit::{Column, DbValue, Error, ParameterValue, RowSet};
use super::{errors, read};

/// The most that a result, or a row of a streamed one, may take.
const RESULT_BYTES: usize = 128 << 20;
/// How many rows wait for a component that reads slowly.
const ROWS_AHEAD: usize = 4;

/// The rows of a query as they come.
pub(super) struct StreamedRows {
    pub(super) columns: Vec<Column>,
    pub(super) rows: mpsc::Receiver<Vec<DbValue>>,
    pub(super) outcome: oneshot::Receiver<Result<(), Error>>,
}

/// Runs a statement for its effect: the number of rows it affected.
pub(super) async fn execute(
    connection: &Connection,
    statement: &str,
    parameters: Vec<ParameterValue>,
) -> Result<u64, Error> {
    let parameters = encode_all(parameters).map_err(|error| Error::ValueConversionFailed(format!("{error:?}")))?;
    connection.execute_raw(statement, parameters).await.map_err(|error| errors::query_failed(&error))
}

/// Runs a query and gathers its rows.
pub(super) async fn query(
    connection: &Connection,
    statement: &str,
    parameters: Vec<ParameterValue>,
) -> Result<RowSet, Error> {
    let mut stream = start(connection, statement, parameters).await?;
    let mut columns = Vec::new();
    let mut rows = Vec::new();
    let mut bytes = size_of::<RowSet>();
    while let Some(row) = stream.try_next().await.map_err(|error| errors::query_failed(&error))? {
        if rows.is_empty() {
            columns = read::columns(&row);
        }
        let values = read_row(&row)?;
        bytes += read::size(&values);
        check_size(bytes)?;
        rows.push(values);
    }
    Ok(RowSet { columns, rows })
}

/// Runs a query and hands its rows on as they come.
///
/// It answers with the first row, or when it is certain that there is none: the columns are then empty, and whatever
/// went wrong while the query ran is the outcome's.
pub(super) async fn query_streamed(
    connection: &Connection,
    statement: &str,
    parameters: Vec<ParameterValue>,
) -> Result<StreamedRows, Error> {
    let mut stream = start(connection, statement, parameters).await?;
    let first = stream.try_next().await;
    let columns = match &first {
        Ok(Some(row)) => read::columns(row),
        _ => Vec::new(),
    };
    let (row_sender, rows) = mpsc::channel(ROWS_AHEAD);
    let (outcome_sender, outcome) = oneshot::channel();
    tokio::spawn(async move {
        let result = tokio::select! {
            biased;
            () = row_sender.closed() => Ok(()),
            result = forward(first, stream, &row_sender) => result,
        };
        // The component may have lost interest.
        let _ = outcome_sender.send(result);
    });
    Ok(StreamedRows { columns, rows, outcome })
}

async fn start(
    connection: &Connection,
    statement: &str,
    parameters: Vec<ParameterValue>,
) -> Result<Pin<Box<RowStream>>, Error> {
    let parameters = encode_all(parameters).map_err(|error| Error::BadParameter(format!("{error:?}")))?;
    let stream = connection.query_raw(statement, parameters).await.map_err(|error| errors::query_failed(&error))?;
    Ok(Box::pin(stream))
}

async fn forward(
    first: Result<Option<Row>, tokio_postgres::Error>,
    mut rest: impl Stream<Item = Result<Row, tokio_postgres::Error>> + Unpin,
    sender: &mpsc::Sender<Vec<DbValue>>,
) -> Result<(), Error> {
    let mut next = first;
    while let Some(row) = next.map_err(|error| errors::query_failed(&error))? {
        let values = read_row(&row)?;
        check_size(read::size(&values))?;
        if sender.send(values).await.is_err() {
            break;
        }
        next = rest.try_next().await;
    }
    Ok(())
}

fn read_row(row: &Row) -> Result<Vec<DbValue>, Error> {
    read::values(row).map_err(|error| errors::query_failed_text(&error))
}

fn check_size(bytes: usize) -> Result<(), Error> {
    if bytes > RESULT_BYTES {
        let error = anyhow!("query result exceeds limit of {RESULT_BYTES} bytes");
        return Err(errors::query_failed_text(&error));
    }
    Ok(())
}
