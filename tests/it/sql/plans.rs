//! How the database goes about its work: helpers of policies asked once a statement, one partition for one month, and no
//! table read through that grows. Looked up in plans, on a database with enough in it that indexes are worth it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Deserializer, Value};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::harness::{Database, TestRun, run};

/// What is looked for in the plans of a function of `api`.
struct Case {
    function: &'static str,
    role: &'static str,
    call: &'static str,
    /// The index that finds what the call is about; the months of events are told apart by digits, written as `#` here.
    index: &'static str,
}

/// Every function of `api`: one that is missing here fails the test.
const CASES: [Case; 22] = [
    Case {
        function: "provision_user",
        role: "tally_provision",
        call: "api.provision_user(:'user', 'someone@example.com', '{}')",
        index: "organizations_signup_user_id_key",
    },
    Case {
        function: "access_token_claims",
        role: "tally_token_hook",
        call: "api.access_token_claims(:'user', 'someone@example.com', '{}', true)",
        index: "org_members_user_id_joined_at_idx",
    },
    Case {
        function: "get_me",
        role: "tally_token_hook",
        call: "api.get_me(:'user')",
        index: "org_members_user_id_joined_at_idx",
    },
    Case {
        function: "set_active_organization",
        role: "tally_token_hook",
        call: "api.set_active_organization(:'user', :'org')",
        index: "org_members_user_id_joined_at_idx",
    },
    Case {
        function: "create_api_key",
        role: "tally_token_hook",
        call: "api.create_api_key(:'authority', :'store', repeat('0', 64), 'tally_000000', 'Key', '{metrics:read}', :'store', null)",
        index: "api_keys_org_id_idx",
    },
    Case {
        function: "list_api_keys",
        role: "tally_token_hook",
        call: "api.list_api_keys(:'authority', 5, null, null)",
        index: "api_keys_org_id_created_at_idx",
    },
    Case {
        function: "revoke_api_key",
        role: "tally_token_hook",
        call: "api.revoke_api_key(:'authority', :'key')",
        index: "api_keys_pkey",
    },
    Case {
        function: "ingest_events",
        role: "tally_ingest",
        // One that is new, and one that is there and restated.
        call: "api.ingest_events(:'authority', array[:'store'], '{null}', '{test}', '{orders}', '{null}', '{\"{}\"}', '{1,1}',
            E'new\n' || :'event_id', E'1\n2', array[:event_us, :event_us], '{}', E'2\n2', '[]', 'replace', false)",
        index: "metric_events_#_pkey",
    },
    Case {
        function: "delete_events",
        role: "tally_ingest",
        call: "api.delete_events(:'authority', array[:'store'], '{test}', array[:'event_id'], array[:'event_at'], 0, true)",
        index: "metric_events_#_pkey",
    },
    Case {
        function: "list_event_changes",
        role: "tally_ingest",
        call: "api.list_event_changes(:'authority', null, null, null, null, null, null, null, null, 50)",
        index: "event_changes_org_id_changed_at_id_idx",
    },
    Case {
        function: "list_quarantine",
        role: "tally_ingest",
        call: "api.list_quarantine(:'authority', '{}', null, null, 50)",
        index: "quarantined_events_org_id_received_at_idx",
    },
    Case {
        function: "replay_quarantine",
        role: "tally_ingest",
        call: "api.replay_quarantine(:'authority', '{\"all\": true}', 'ignore', false)",
        index: "quarantined_events_org_id_received_at_idx",
    },
    Case {
        function: "discard_quarantine",
        role: "tally_ingest",
        call: "api.discard_quarantine(:'authority', '{\"filter\": {\"code\": \"none\"}}')",
        index: "quarantined_events_pkey",
    },
    Case {
        function: "query_metrics",
        role: "tally_query",
        call: "api.query_metrics(:'authority', jsonb_build_array(jsonb_build_object(
            'metrics', array['orders'], 'stores', array[:'store'], 'workspace', null, 'from', :'month', 'to', :'next_month',
            'granularity', 'day', 'week_start', 0, 'timezone', 'UTC', 'currency', null, 'group_by', '{}'::text[],
            'filter', null, 'filter_dimensions', '{}'::text[], 'fill', 'zero', 'cumulative', false, 'totals', true,
            'compare', null, 'top', null, 'order_by', null, 'limit', null, 'after', null
        ))::text)",
        index: "metric_rollups_pkey",
    },
    Case {
        function: "list_metrics",
        role: "tally_query",
        call: "api.list_metrics(:'authority')",
        index: "org_members_user_id_joined_at_idx",
    },
    Case {
        function: "list_metrics",
        role: "tally_query",
        call: "api.list_metrics(:'authority_of_key')",
        index: "api_keys_key_hash_idx",
    },
    Case {
        function: "get_metric",
        role: "tally_query",
        call: "api.get_metric(:'authority', 'orders')",
        index: "org_members_user_id_joined_at_idx",
    },
    Case {
        function: "put_metric",
        role: "tally_query",
        call: "api.put_metric(:'authority', 'kept', '{\"display_name\": \"Kept\", \"unit\": \"count\", \"aggregation_method\": \"sum\",
            \"category\": \"own\", \"description\": \"\", \"source\": null, \"metadata\": {}}')",
        index: "metric_definitions_org_id_key_key",
    },
    Case {
        function: "delete_metric",
        role: "tally_query",
        call: "api.delete_metric(:'authority', 'kept')",
        index: "org_members_user_id_joined_at_idx",
    },
    Case {
        function: "put_exchange_rates",
        role: "tally_query",
        call: "api.put_exchange_rates(:'authority', '2026-10-02', 'USD', '1.1712')",
        index: "exchange_rates_pkey",
    },
    Case {
        function: "list_exchange_rates",
        role: "tally_query",
        call: "api.list_exchange_rates(:'authority', null, null, null, null, null, 50)",
        index: "exchange_rates_org_id_day_currency_idx",
    },
    Case {
        function: "delete_exchange_rates",
        role: "tally_query",
        call: "api.delete_exchange_rates(:'authority', '2026-10-01', '2026-10-08', null)",
        index: "exchange_rates_org_id_day_currency_idx",
    },
];

/// What the scripts speak of: a user, the authority of one, an API key and its authority, a store, one of its events, and a month
/// long past.
const VARIABLES: &str = r#"
    set timezone = 'UTC';
    select u.id as user, o.id as org, json_build_object('sub', u.id, 'org_id', o.id, 'user_role', 'owner') as authority,
      json_build_object('api_key_hash', k.key_hash) as authority_of_key, k.id as key, s.id as store, e.event_id, to_char(e.recorded_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as event_at,
      (extract(epoch from e.recorded_at) * 1000000)::bigint as event_us,
      to_char(m.month, 'YYYY-MM-DD"T"HH24:MI:SS') as month,
      to_char(m.month + interval '1 month', 'YYYY-MM-DD"T"HH24:MI:SS') as next_month
    from public.organizations o
    cross join lateral (select o.signup_user_id as id) as u
    join public.api_keys k on k.org_id = o.id and k.revoked_at is null
    join public.stores s on s.org_id = o.id
    join public.metric_events e on e.org_id = s.org_id and e.store_id = s.id and e.event_id = 'event-100'
    cross join (select date_trunc('month', now()) - interval '3 months' as month) as m
    where o.slug = 'company-1'
    limit 1
    \gset
"#;

const EXPLAIN: &str = "
    load 'auto_explain';
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_format = json;
    set auto_explain.log_level = notice;
    set client_min_messages = notice;
";

/// The database that all tests here look at; what they change is undone.
async fn filled_database() -> Result<(&'static TestRun, &'static Database)> {
    static FILLED: OnceCell<Database> = OnceCell::const_new();
    let run = run().await?;
    Ok((run, FILLED.get_or_try_init(|| filled(run)).await?))
}

/// A database of its own, for what leaves tables larger though it is undone, and so other plans to others.
async fn filled(run: &'static TestRun) -> Result<Database> {
    let database = run.new_database().await?;
    psql(run, &database, include_str!("plans.sql")).await?;
    Ok(database)
}

/// Runs a script; answers what it printed, and the notices.
async fn psql(run: &TestRun, database: &Database, script: &str) -> Result<(String, String)> {
    let mut child = Command::new(run.cluster.binaries().program("psql"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &database.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run psql")?;
    let mut input = child.stdin.take().context("psql has no input")?;
    let script = script.to_owned();
    let writer = tokio::spawn(async move { input.write_all(script.as_bytes()).await });
    let output = child.wait_with_output().await?;
    let [printed, notices] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    ensure!(output.status.success(), "psql failed:\n{notices}");
    writer.await??;
    Ok((printed, notices))
}

/// The plans that `auto_explain` told of.
fn plans(notices: &str) -> Result<Vec<Value>> {
    let documents = notices.split("  plan:\n").skip(1).map(|rest| {
        let mut stream = Deserializer::from_str(rest).into_iter::<Value>();
        stream.next().context("no plan")?.context("the plan")
    });
    documents.collect()
}

/// All nodes of a plan.
fn nodes(plan: &Value) -> Vec<&Value> {
    let children = plan["Plans"].as_array().into_iter().flatten();
    [plan].into_iter().chain(children.flat_map(nodes)).collect()
}

fn text<'a>(node: &'a Value, key: &str) -> &'a str {
    node[key].as_str().unwrap_or_default()
}

/// The tables that grow and that a plan reads through from end to end.
fn read_through(plan: &Value) -> Vec<&str> {
    let grows = |table: &str| {
        table.starts_with("metric_events")
            || [
                "api_keys",
                "event_changes",
                "exchange_rates",
                "metric_rollups",
                "organizations",
                "org_members",
                "quarantined_events",
                "stores",
            ]
            .contains(&table)
    };
    let scans = nodes(plan).into_iter().filter(|node| text(node, "Node Type").contains("Seq Scan"));
    scans.map(|node| text(node, "Relation Name")).filter(|table| grows(table)).collect()
}

fn script(case: &Case, mode: &str, more: &str) -> String {
    let Case { role, call, .. } = case;
    format!(
        "{VARIABLES} {EXPLAIN} set plan_cache_mode = {mode}; {more} set role {role}; begin; select {call}; rollback;"
    )
}

#[tokio::test]
async fn functions_of_api_find_their_rows_by_index() -> Result<()> {
    let (run, database) = filled_database().await?;
    let list = "select proname from pg_catalog.pg_proc where pronamespace = 'api'::regnamespace order by 1;";
    let (functions, _) = psql(run, database, list).await?;
    let expected = BTreeSet::from(CASES.map(|case| case.function));
    ensure!(functions.lines().eq(expected), "each needs a case here: {functions}");

    let mut faults = String::new();
    for case in &CASES {
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let (_, notices) = psql(run, database, &script(case, mode, "")).await?;
            let plans = plans(&notices)?;
            let mut indexes = Vec::new();
            for plan in &plans {
                for table in read_through(&plan["Plan"]) {
                    writeln!(
                        faults,
                        "{}, {mode}: reads through {table} in {}",
                        case.function,
                        text(plan, "Query Text")
                    )?;
                }
                for node in nodes(&plan["Plan"]) {
                    let arbiters = node["Conflict Arbiter Indexes"].as_array().into_iter().flatten();
                    let names = arbiters.filter_map(Value::as_str).chain([text(node, "Index Name")]);
                    indexes.extend(names.map(without_digits));
                }
            }
            if !indexes.iter().any(|index| index == case.index) {
                writeln!(faults, "{}, {mode}: not found by {} but {indexes:?}", case.function, case.index)?;
            }
        }
    }
    ensure!(faults.is_empty(), "{faults}");
    Ok(())
}

/// However many stores an organization has, a batch finds its own by what they are known by, and passes by the others.
#[tokio::test]
async fn a_batch_looks_up_its_own_stores_only() -> Result<()> {
    let run = run().await?;
    let database = filled(run).await?;
    let case = CASES.iter().find(|case| case.function == "ingest_events").context("no case")?;
    let many = "begin; insert into public.stores (org_id, workspace_id, name)
        select w.org_id, w.id, 'Further ' || n from public.workspaces w cross join generate_series(1, 1000) as n
        where w.org_id = (select s.org_id from public.stores s where s.id = :'store');";
    for mode in ["force_custom_plan", "force_generic_plan", "auto"] {
        let (_, notices) = psql(run, &database, &script(case, mode, many)).await?;
        let plans = plans(&notices)?;
        let nodes: Vec<_> = plans.iter().flat_map(|plan| nodes(&plan["Plan"])).collect();
        let indexes: BTreeSet<_> =
            nodes.iter().map(|node| text(node, "Index Name")).filter(|name| name.starts_with("stores_")).collect();
        let expected = BTreeSet::from(["stores_pkey", "stores_org_id_external_id_key"]);
        ensure!(indexes == expected, "{mode}: {indexes:?}");
    }
    Ok(())
}

/// How many rows a plan has read and thrown away.
fn thrown_away(plan: &Value) -> f64 {
    let of_node = |node: &Value| {
        let removed = ["Rows Removed by Filter", "Rows Removed by Join Filter"].map(|key| node[key].as_f64());
        removed.into_iter().flatten().sum::<f64>() * node["Actual Loops"].as_f64().unwrap_or_default()
    };
    nodes(plan).into_iter().map(of_node).sum()
}

/// A thousand rows are not compared with a thousand others one by one, though a plan takes them for a handful.
#[tokio::test]
async fn a_thousand_rows_are_not_gone_through_for_each_other() -> Result<()> {
    const MOST: f64 = 50_000.0;
    let run = run().await?;
    let database = filled(run).await?;
    let first = "pg_temp.send(:'authority', :'store', :event_us, '1', 'ignore')";
    for call in [
        "pg_temp.send(:'authority', :'store', :event_us, '2', 'replace')",
        "api.replay_quarantine(:'authority', '{\"all\": true}', 'ignore', false)",
    ] {
        let script = format!(
            "{VARIABLES} begin; {} set local role tally_ingest; select {first};
             reset role; {EXPLAIN} set auto_explain.log_analyze = on; set auto_explain.log_timing = off;
             set local role tally_ingest; select {call}; rollback;",
            include_str!("many.sql")
        );
        let (_, notices) = psql(run, &database, &script).await?;
        let plans = plans(&notices)?;
        ensure!(!plans.is_empty(), "{call}: no plans");
        for plan in plans {
            let rows = thrown_away(&plan["Plan"]);
            ensure!(rows < MOST, "{call}: {rows} rows for nothing in {}", text(&plan, "Query Text"));
        }
    }
    Ok(())
}

/// Rates are looked up for the days and currencies that they are joined to, the organization's own and those for all, and no
/// others are read. These have to be plain columns: what is computed of others could tell of rows before the policies are asked.
#[tokio::test]
async fn a_join_with_rates_looks_each_of_them_up() -> Result<()> {
    let (run, database) = filled_database().await?;
    let join = "with p as materialized (
          select date '2026-10-01' + n as day, 'A' || chr(65 + n % 26) || 'A' as currency from generate_series(0, 29) as n
        )
        select p.day, p.currency, r.rate
        from p
        left join lateral (
          select r.rate from app.rates r where r.currency = p.currency and r.day = p.day offset 0
        ) as r on true";
    let script = format!(
        "{VARIABLES} begin; set local role tally_query; select app.assume_authority(:'authority') \\gset
         explain (analyze, timing off, format json) {join}; rollback;"
    );
    let (printed, _) = psql(run, database, &script).await?;
    let plan: Value = serde_json::from_str(&printed)?;
    let plan = &plan[0]["Plan"];
    ensure!(read_through(plan).is_empty(), "{plan:#}");
    let rows = |node: &Value| {
        node["Actual Rows"].as_f64().unwrap_or_default() * node["Actual Loops"].as_f64().unwrap_or_default()
    };
    let read: f64 =
        nodes(plan).into_iter().filter(|node| text(node, "Relation Name") == "exchange_rates").map(rows).sum();
    ensure!(read > 0.0 && read <= 60.0 && thrown_away(plan) <= 30.0, "{read} rows read: {plan:#}");
    Ok(())
}

fn without_digits(name: &str) -> String {
    name.split('_').map(|part| if part.parse::<u32>().is_ok() { "#" } else { part }).collect::<Vec<_>>().join("_")
}

#[tokio::test]
async fn reading_through_is_noticed() -> Result<()> {
    let (run, database) = filled_database().await?;
    let more = "set enable_indexscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off;";
    let case = CASES.iter().find(|case| case.function == "query_metrics").context("no case")?;
    let (_, notices) = psql(run, database, &script(case, "auto", more)).await?;
    let plans = plans(&notices)?;
    let found: Vec<&str> = plans.iter().flat_map(|plan| read_through(&plan["Plan"])).collect();
    ensure!(["metric_rollups", "org_members", "stores"].iter().all(|table| found.contains(table)), "{found:?}");
    Ok(())
}

/// The plan of reading each table that has a policy for `authenticated`, as the owner of an organization.
async fn plans_of_policies(run: &TestRun, database: &Database, more: &str) -> Result<Vec<(String, Value)>> {
    let script = format!(
        "{more} {VARIABLES}
        select set_config('request.jwt.claims', :'authority', false) \\gset claims_
        set role authenticated;
        select format('select to_json(%L::text)', t), format('explain (format json) select 1 from %s', t)
        from (
          select distinct polrelid::regclass as t
          from pg_catalog.pg_policy
          where polcmd in ('r', '*') and 'authenticated'::regrole = any (polroles)
        ) as with_policy
        \\gexec"
    );
    let (printed, _) = psql(run, database, &script).await?;
    let documents = Deserializer::from_str(&printed).into_iter::<Value>().collect::<Result<Vec<_>, _>>()?;
    ensure!(!documents.is_empty(), "no table has a policy");
    let pairs = documents.chunks_exact(2).map(|pair| (pair[0].as_str().unwrap_or_default(), &pair[1][0]["Plan"]));
    Ok(pairs.map(|(table, plan)| (table.to_owned(), plan.clone())).collect())
}

/// The conditions that call a function of ours or read a setting, row by row.
fn calls_for_each_row(plan: &Value) -> Vec<&str> {
    let conditions = nodes(plan).into_iter().filter_map(Value::as_object).flatten();
    let conditions = conditions.filter(|(key, _)| key.ends_with("Filter") || key.ends_with("Cond"));
    let texts = conditions.filter_map(|(_, value)| value.as_str());
    texts.filter(|text| ["app.", "auth.", "current_setting("].iter().any(|call| text.contains(call))).collect()
}

#[tokio::test]
async fn policies_ask_their_helpers_once_a_statement() -> Result<()> {
    let (run, database) = filled_database().await?;
    for (table, plan) in plans_of_policies(run, database, "").await? {
        let calls = calls_for_each_row(&plan);
        ensure!(calls.is_empty(), "{table}: {calls:?}");
        let asked_once = nodes(&plan).iter().any(|node| text(node, "Parent Relationship") == "InitPlan");
        ensure!(asked_once, "{table}: nothing is asked: {plan:#}");
    }
    // Never committed.
    let careless = "begin; alter policy stores_select on public.stores using (org_id = app.org_id());";
    let plans = plans_of_policies(run, database, careless).await?;
    let stores = plans.iter().find(|(table, _)| table == "stores").context("no plan for stores")?;
    ensure!(!calls_for_each_row(&stores.1).is_empty(), "a helper asked for each row is not noticed: {:#}", stores.1);
    Ok(())
}

#[tokio::test]
async fn a_month_of_a_store_touches_one_partition() -> Result<()> {
    let (run, database) = filled_database().await?;
    let script = format!(
        "{VARIABLES}
        select set_config('request.jwt.claims', :'authority', false) \\gset claims_
        set role authenticated;
        explain (format json) select sum(value) from public.metric_events
        where store_id = :'store' and recorded_at >= :'month' and recorded_at < :'next_month';"
    );
    let (printed, _) = psql(run, database, &script).await?;
    let plan: Value = serde_json::from_str(&printed)?;
    let nodes = nodes(&plan[0]["Plan"]);
    let mut tables: Vec<&str> = nodes.into_iter().map(|node| text(node, "Relation Name")).collect();
    tables.retain(|table| table.starts_with("metric_events"));
    ensure!(tables.len() == 1, "{tables:?}");
    Ok(())
}
