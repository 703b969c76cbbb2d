//! More requests at once than the platform has connections for.

use std::time::Duration;

use futures::future::join_all;
use sqlx::PgConnection;
use tokio::task::JoinHandle;

use crate::answer::{Answer, ask};
use crate::harness::{Bundle, Tenant, until_waiting};

/// Spin's pool of a component.
const POOL: usize = 64;
/// More than one instance has at once, so some are in another instance than any one connection.
const PATIENT: usize = 40;

/// Has `GET /v1/metrics` wait at a gate: the first 63 calls at one, the 64th at another, later ones at none.
const GATES: &str = "
    create sequence public.calls;
    grant all on sequence public.calls to tally_owner;
    create or replace function api.list_metrics(p_authority text) returns text
      language plpgsql volatile security definer set search_path = ''
    as $$
    declare
      v_call bigint := pg_catalog.nextval('public.calls');
    begin
      if v_call <= 64 then
        perform pg_catalog.pg_advisory_xact_lock_shared(case when v_call < 64 then 1 else 2 end);
      end if;
      return '{}';
    end $$;
    do $$ begin
      execute format('alter role tally_query in database %I set lock_timeout = 0', current_database());
    end $$;";

struct Drill {
    bundle: Bundle,
    tenant: Tenant,
    gates: PgConnection,
}

impl Drill {
    /// The bundle with every connection of a pool busy, and what keeps them so.
    async fn start() -> (Self, Vec<JoinHandle<Answer>>) {
        let bundle = Bundle::start().await.unwrap();
        let tenant = bundle.tenant("acme").await.unwrap();
        let mut gates = bundle.database().await.unwrap();
        sqlx::raw_sql(GATES).execute(&mut gates).await.unwrap();
        let mut drill = Self { bundle, tenant, gates };
        let busy = drill.fill().await;
        (drill, busy)
    }

    fn ask(&self) -> JoinHandle<Answer> {
        let request = self.bundle.client.get(self.bundle.url("/v1/metrics")).bearer_auth(&self.tenant.token);
        tokio::spawn(ask(request))
    }

    /// Takes every connection of the pool.
    async fn fill(&mut self) -> Vec<JoinHandle<Answer>> {
        sqlx::query("select pg_advisory_lock(1), pg_advisory_lock(2), setval('public.calls', 1, false)")
            .execute(&mut self.gates)
            .await
            .unwrap();
        let mut busy = Vec::new();
        // Not all at once: a server that has to begin so many sessions might not be done in time.
        while busy.len() < POOL {
            busy.extend((0..8).map(|_| self.ask()));
            until_waiting(&self.bundle.database_url, busy.len()).await.unwrap();
        }
        busy
    }

    async fn open(&mut self, gate: i64) {
        sqlx::query("select pg_advisory_unlock($1)").bind(gate).execute(&mut self.gates).await.unwrap();
    }
}

async fn all_ok(answers: Vec<JoinHandle<Answer>>) {
    for answer in join_all(answers).await {
        answer.unwrap().ok();
    }
}

#[tokio::test]
async fn one_connection_that_comes_free_serves_all_who_wait_wherever_they_are() {
    let (mut drill, busy) = Drill::start().await;
    let patient: Vec<_> = (0..PATIENT).map(|_| drill.ask()).collect();
    // Time to get into the line of the pool; who does not make it has it easier.
    tokio::time::sleep(Duration::from_millis(300)).await;
    drill.open(2).await;
    all_ok(patient).await;
    drill.open(1).await;
    all_ok(busy).await;
}

#[tokio::test]
async fn a_database_without_a_connection_to_spare_says_so_and_recovers() {
    let (mut drill, mut busy) = Drill::start().await;
    for _ in 0..2 {
        let refused = join_all((0..PATIENT).map(|_| drill.ask())).await;
        // They are answered while nothing has changed.
        for answer in refused {
            let answer = answer.unwrap();
            let document = answer.problem(503, "database-unavailable");
            assert_eq!(answer.headers["retry-after"], "1");
            assert!(document["detail"].as_str().unwrap().contains("too much to do"), "{document}");
        }
        assert!(busy.iter().all(|request| !request.is_finished()));
        drill.open(1).await;
        drill.open(2).await;
        all_ok(busy).await;
        all_ok((0..PATIENT).map(|_| drill.ask()).collect()).await;
        // None of the connections is lost: all of them can be busy once more.
        busy = drill.fill().await;
    }
    drill.open(1).await;
    drill.open(2).await;
    all_ok(busy).await;
    let log = drill.bundle.guest_log().join("\n");
    assert!(log.contains("no connection within 3s: all of the pool are in use"), "{log}");
}
