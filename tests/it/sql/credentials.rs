//! Credentials and keys that are sent as parameters stand in no log, no statistics and no error.

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection, Row as _};
use tally_host::database::{Cluster, ClusterOptions};
use tally_host::migrate::migrate;

/// What is looked for: nothing else holds these words.
const CREDENTIAL: &str = "kredenzial";
const KEY: &str = "schluessel";

/// A server that logs and counts everything but the values of parameters.
const TALKATIVE: &str = "
    load 'auto_explain';
    set log_statement = 'all';
    set log_duration = on;
    set log_min_duration_statement = 0;
    set log_min_error_statement = 'debug5';
    set log_min_messages = 'debug1';
    set log_error_verbosity = 'verbose';
    set pg_stat_statements.track = 'all';
    set pg_stat_statements.track_utility = on;
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_analyze = on;
    set plpgsql.print_strict_params = on;
    set log_parameter_max_length = 0;
    set role service_role";

const PREPARE: &str = "
    create extension pg_stat_statements;
    select app.provision_user('aaaaaaaa-0000-4000-8000-000000000001', 'Acme');
    insert into public.stores (org_id, workspace_id, name) select org_id, id, 'Store' from public.workspaces;
    insert into public.integration_connections (org_id, store_id, provider, display_name)
      select org_id, id, provider, 'Account' from public.stores, unnest(array['shopify', 'stripe']) provider";

const STORE: &str = "select private.store_integration_credential($1::uuid, $2::uuid, $3, $4)::text";
const GET: &str = "select private.get_integration_credential($1::uuid, $2::uuid, $3)";
const ROTATE: &str = "select private.rotate_integration_credentials($1, $2)::text";

/// A caller as `service_role`, who remembers what errors said.
struct Caller {
    connection: PgConnection,
    errors: Vec<String>,
}

impl Caller {
    /// Calls with parameters; answers the text, or the SQLSTATE.
    async fn call(&mut self, statement: &'static str, parameters: &[Option<&str>]) -> Result<String, String> {
        let mut query = sqlx::query_scalar::<_, Option<String>>(statement);
        for parameter in parameters {
            query = query.bind(*parameter);
        }
        let error = match query.fetch_one(&mut self.connection).await {
            Ok(text) => return Ok(text.unwrap_or_default()),
            Err(error) => error,
        };
        self.errors.push(format!("{error} {error:?}"));
        Err(error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned())
    }
}

/// Everything the server has said and kept so far: its log, its statistics, and what others see of the caller.
async fn traces(administrator: &mut PgConnection) -> Result<String> {
    let row = sqlx::query(
        "select pg_read_file(current_setting('data_directory') || '/../postgres.log'), \
         (select string_agg(query, E'\\n') from pg_stat_statements), \
         (select string_agg(query, E'\\n') from pg_stat_activity)",
    )
    .fetch_one(administrator)
    .await?;
    Ok(format!("{}\n{}\n{}", row.get::<String, _>(0), row.get::<String, _>(1), row.get::<String, _>(2)))
}

/// Every function, going well and in each way that it can go wrong.
async fn use_everything(caller: &mut Caller, org_id: &str, connections: &[String]) {
    let [shop, bank] = connections else { panic!("two connections") };
    let key = format!("{KEY} of the first kind, long enough");
    let other = format!("{KEY} of the second kind, long enough");
    let (first, second) = (format!("{CREDENTIAL} one"), format!("{CREDENTIAL} two"));
    let large = format!("{CREDENTIAL}{}", "x".repeat(70_000));
    let nobody = "00000000-0000-4000-8000-000000000000";
    let (key, other, short) = (Some(&*key), Some(&*other), Some(KEY));
    let (org, shop, bank) = (Some(org_id), Some(&**shop), Some(&**bank));
    let refused = |code: &str| Err(code.to_owned());

    assert!(caller.call(STORE, &[org, shop, Some(&first), key]).await.is_ok());
    assert!(caller.call(STORE, &[org, bank, Some(&second), other]).await.is_ok());
    assert_eq!(caller.call(GET, &[org, shop, key]).await, Ok(first.clone()));
    assert_eq!(caller.call(STORE, &[org, shop, Some(&second), short]).await, refused("TH011"));
    assert_eq!(caller.call(STORE, &[org, shop, Some(&second), None]).await, refused("TH011"));
    assert_eq!(caller.call(STORE, &[org, shop, Some(&large), key]).await, refused("22023"));
    assert_eq!(caller.call(STORE, &[org, Some(nobody), Some(&second), key]).await, refused("TH013"));
    assert_eq!(caller.call(GET, &[org, shop, other]).await, refused("TH012"));
    assert_eq!(caller.call(GET, &[org, shop, short]).await, refused("TH011"));
    assert_eq!(caller.call(GET, &[org, Some(nobody), key]).await, refused("TH013"));
    assert_eq!(caller.call(ROTATE, &[short, key]).await, refused("TH011"));
    let third = format!("{KEY} of the third kind, long enough");
    assert_eq!(caller.call(ROTATE, &[key, Some(&third)]).await, refused("TH012"));
    assert_eq!(caller.call(ROTATE, &[key, other]).await, Ok("1".to_owned()));
    assert_eq!(caller.call(GET, &[org, shop, other]).await, Ok(first));
    assert!(
        caller
            .call("select private.delete_integration_credential($1::uuid, $2::uuid)::text", &[org, bank])
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn parameters_leave_no_trace() -> Result<()> {
    let mut cluster = Cluster::start(ClusterOptions::Throwaway).await?;
    cluster.administer("alter system set shared_preload_libraries = 'pg_stat_statements'".to_owned()).await?;
    cluster.restart().await?;
    cluster.create_database("it").await?;
    let url = cluster.database_url("it");
    migrate(&url).await?;
    let mut administrator = PgConnection::connect(&url).await?;
    sqlx::raw_sql(PREPARE).execute(&mut administrator).await?;
    let org_id: String =
        sqlx::query_scalar("select id::text from public.organizations").fetch_one(&mut administrator).await?;
    let connections: Vec<String> =
        sqlx::query_scalar("select id::text from public.integration_connections").fetch_all(&mut administrator).await?;

    let mut caller = Caller { connection: PgConnection::connect(&url).await?, errors: Vec::new() };
    sqlx::raw_sql(TALKATIVE).execute(&mut caller.connection).await?;
    use_everything(&mut caller, &org_id, &connections).await;

    let said = traces(&mut administrator).await?;
    for expected in ["execute sqlx", "TH012", "pgp_sym_encrypt($1, $2, $3)", "Query Text", "PL/pgSQL function private."]
    {
        assert!(said.contains(expected), "the server is not talkative: no {expected}");
    }
    let errors = caller.errors.join("\n");
    for word in [CREDENTIAL.to_owned(), KEY.to_owned(), hex(CREDENTIAL), hex(KEY)] {
        for line in said.lines().chain(errors.lines()) {
            assert!(!line.contains(&word), "{word} stands in: {line}");
        }
    }

    // The one setting that all this hangs on, or else the search finds nothing whatever there is.
    sqlx::raw_sql("reset role; set log_parameter_max_length = -1; set role service_role")
        .execute(&mut caller.connection)
        .await?;
    let (org, shop) = (Some(&*org_id), connections.first().map(|id| &**id));
    let key = format!("{KEY} of the last kind, long enough");
    caller.call(STORE, &[org, shop, Some(CREDENTIAL), Some(&key)]).await.ok().context("it is not stored")?;
    let said = traces(&mut administrator).await?;
    assert!(said.contains(CREDENTIAL) && said.contains(KEY), "the server logs no parameters");
    Ok(())
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
