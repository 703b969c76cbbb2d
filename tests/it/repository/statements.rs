//! Every statement of the functions can be prepared against the migrated schema, as the role that sends it, and by no other.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use tally_core::statements::{self, Statement};

use crate::harness::run;

/// Statement, and the variable with the connection URL of the one role that may send it.
const STATEMENTS: [(Statement, &str); 21] = [
    (statements::PROVISION_USER, "provision_database_url"),
    (statements::ACCESS_TOKEN_CLAIMS, "token_hook_database_url"),
    (statements::GET_ME, "token_hook_database_url"),
    (statements::SET_ACTIVE_ORGANIZATION, "token_hook_database_url"),
    (statements::CREATE_API_KEY, "token_hook_database_url"),
    (statements::LIST_API_KEYS, "token_hook_database_url"),
    (statements::REVOKE_API_KEY, "token_hook_database_url"),
    (statements::INGEST_EVENTS, "ingest_database_url"),
    (statements::DELETE_EVENTS, "ingest_database_url"),
    (statements::LIST_EVENT_CHANGES, "ingest_database_url"),
    (statements::LIST_QUARANTINE, "ingest_database_url"),
    (statements::REPLAY_QUARANTINE, "ingest_database_url"),
    (statements::DISCARD_QUARANTINE, "ingest_database_url"),
    (statements::QUERY_METRICS, "query_database_url"),
    (statements::LIST_METRICS, "query_database_url"),
    (statements::GET_METRIC, "query_database_url"),
    (statements::PUT_METRIC, "query_database_url"),
    (statements::DELETE_METRIC, "query_database_url"),
    (statements::PUT_EXCHANGE_RATES, "query_database_url"),
    (statements::LIST_EXCHANGE_RATES, "query_database_url"),
    (statements::DELETE_EXCHANGE_RATES, "query_database_url"),
];

#[tokio::test]
async fn each_role_can_send_its_own_statements_and_no_others() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../functions/core/src/statements")).unwrap();
    assert_eq!(files.count(), STATEMENTS.len(), "a statement is missing here");

    let run = run().await.unwrap();
    let database = run.new_database().await.unwrap();
    let variables = tally_host::roles::variables(&database.url, &run.secrets).unwrap();
    for variable in ["provision_database_url", "token_hook_database_url", "ingest_database_url", "query_database_url"] {
        let mut connection = PgConnection::connect(&variables[variable]).await.unwrap();
        for (statement, owner) in STATEMENTS {
            // With null for every argument nothing is found or made: what matters is whether it may run at all.
            let called = sqlx::raw_sql(AssertSqlSafe(with_nulls(statement.text()))).execute(&mut connection).await;
            let denied = called.err().and_then(|error| error.as_database_error()?.code().map(|code| code == "42501"));
            assert_eq!(denied.unwrap_or_default(), owner != variable, "{variable}: {}", statement.text());
        }
    }
}

fn with_nulls(statement: &str) -> String {
    (1..=17).fold(statement.to_owned(), |text, number| text.replace(&format!("${number}::"), "null::"))
}
