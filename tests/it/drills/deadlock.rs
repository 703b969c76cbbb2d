//! Statements that the server gives up for the sake of others are sent again, a few times.

use crate::answer::{Answer, ask};
use crate::harness::{Bundle, Tenant};

/// Has `GET /v1/metrics` run this, with the number of the call as `v_call`, and answer the number.
async fn replace(bundle: &Bundle, body: &str) {
    let function = format!(
        "create sequence public.calls;
         grant all on sequence public.calls to tally_owner;
         create or replace function api.list_metrics(p_authority text) returns text
           language plpgsql volatile security definer set search_path = ''
         as $$
         declare
           v_call bigint := pg_catalog.nextval('public.calls');
         begin
           {body}
           return pg_catalog.jsonb_build_object('call', v_call)::text;
         end $$;"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(function)).execute(&mut bundle.database().await.unwrap()).await.unwrap();
}

async fn metrics(bundle: &Bundle, tenant: &Tenant) -> Answer {
    ask(bundle.client.get(bundle.url("/v1/metrics")).bearer_auth(&tenant.token)).await
}

async fn calls(bundle: &Bundle) -> i64 {
    let calls = sqlx::query_scalar("select last_value from public.calls");
    calls.fetch_one(&mut bundle.database().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn who_loses_a_deadlock_is_sent_again_and_both_are_answered() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    // The first two take a lock each, and when both have theirs, want the other's.
    let cross = "
        if v_call <= 2 then
          perform pg_catalog.pg_advisory_xact_lock(v_call);
          while (
            select count(*) < 2 from pg_catalog.pg_locks
            where locktype = 'advisory' and granted and objid in (1, 2)
              and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
          ) loop
            perform pg_catalog.pg_sleep(0.01);
          end loop;
          perform pg_catalog.pg_advisory_xact_lock(3 - v_call);
        end if;";
    replace(&bundle, cross).await;
    let (first, second) = tokio::join!(metrics(&bundle, &acme), metrics(&bundle, &acme));
    let mut answered = [first.ok()["call"].as_i64().unwrap(), second.ok()["call"].as_i64().unwrap()];
    answered.sort_unstable();
    // One of the two got through at once, the other at its second try, the third call in all.
    assert!(matches!(answered, [1 | 2, 3]), "{answered:?}");
    assert_eq!(calls(&bundle).await, 3);
}

#[tokio::test]
async fn a_statement_is_sent_four_times_and_no_more() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let raise = "raise exception using errcode = case when v_call <= 4 then '40P01' else '40001' end;";
    replace(&bundle, raise).await;
    for sent in [4, 8] {
        metrics(&bundle, &acme).await.problem(503, "database-unavailable");
        assert_eq!(calls(&bundle).await, sent);
    }
    let log = bundle.guest_log().join("\n");
    assert!(log.contains("40P01") && log.contains("40001"), "{log}");
}

#[tokio::test]
async fn what_fails_for_itself_is_sent_once() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    // Of the same class, and of others that pass.
    let codes = ["40003", "55P03", "53200", "57014", "25006", "TH006"];
    let raise = format!("raise exception using errcode = ('{{{}}}'::text[])[v_call];", codes.join(","));
    replace(&bundle, &raise).await;
    for (sent, code) in (1..).zip(codes) {
        let answer = metrics(&bundle, &acme).await;
        assert_ne!(answer.status, 200, "{code}");
        assert_eq!(calls(&bundle).await, sent, "{code}");
    }
}
