//! What a component sees of the driver's errors.

use tokio_postgres::error::DbError;

use super::wit;

/// An error of a statement: in fields where the server answered, in one text otherwise.
pub(super) fn query_failed(error: &tokio_postgres::Error) -> wit::Error {
    // The debug form is what Spin gives; it holds the cause.
    let text = format!("{error:?}");
    wit::Error::QueryFailed(match error.as_db_error() {
        None => wit::QueryError::Text(text),
        Some(answer) => wit::QueryError::DbError(wit::DbError {
            as_text: text,
            severity: answer.severity().to_owned(),
            code: answer.code().code().to_owned(),
            message: answer.message().to_owned(),
            detail: answer.detail().map(str::to_owned),
            extras: extras(answer),
        }),
    })
}

/// An error that has no more than a text.
pub(super) fn query_failed_text(error: &anyhow::Error) -> wit::Error {
    wit::Error::QueryFailed(wit::QueryError::Text(format!("{error:?}")))
}

fn extras(answer: &DbError) -> Vec<(String, String)> {
    [
        ("column", answer.column().map(str::to_owned)),
        ("constraint", answer.constraint().map(str::to_owned)),
        ("routine", answer.routine().map(str::to_owned)),
        ("hint", answer.hint().map(str::to_owned)),
        ("table", answer.table().map(str::to_owned)),
        ("datatype", answer.datatype().map(str::to_owned)),
        ("schema", answer.schema().map(str::to_owned)),
        ("file", answer.file().map(str::to_owned)),
        ("line", answer.line().map(|line| line.to_string())),
        ("where_", answer.where_().map(str::to_owned)),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
    .collect()
}
