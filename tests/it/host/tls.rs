//! TLS to Postgres: who the server is, is verified.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tally_host::database::{Cluster, ClusterOptions};

use super::{PROBE_MANIFEST, server_of, start, until, with};
use crate::harness::{repository, run};

/// When the server last read its settings and certificate, as a session begun now inherits it.
async fn loaded(cluster: &Cluster) -> String {
    let mut session = PgConnection::connect(&cluster.database_url("postgres")).await.unwrap();
    let time = sqlx::query_scalar("select pg_conf_load_time()::text").fetch_one(&mut session).await.unwrap();
    session.close().await.unwrap();
    time
}

/// Gives the server a certificate of its own making, and answers it.
async fn certify(cluster: &Cluster, name: &str) -> String {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    for (file, pem) in [("server.key", made.signing_key.serialize_pem()), ("server.crt", made.cert.pem())] {
        cluster
            .administer(format!(
                "copy (select line from regexp_split_to_table($pem${}$pem$, '\n') as line) to program \
                 'umask 077; cat > {file}'",
                pem.replace('\r', "").trim()
            ))
            .await
            .unwrap();
    }
    cluster.administer("alter system set ssl = on".to_owned()).await.unwrap();
    let before = loaded(cluster).await;
    cluster.administer("select pg_reload_conf()".to_owned()).await.unwrap();
    until("the server to load its certificate", async || loaded(cluster).await != before).await;
    made.cert.pem()
}

#[tokio::test]
async fn a_server_is_trusted_by_its_certificate_and_its_name() {
    run().await.unwrap();
    let cluster = Cluster::start(ClusterOptions::Throwaway).await.unwrap();
    let database = cluster.database_url("postgres").parse().unwrap();
    let (host, port) = server_of(&database);
    let variables: BTreeMap<_, _> =
        [("database_host".to_owned(), host), ("database_port".to_owned(), port.to_string())].into();
    let app = start(&repository().join(PROBE_MANIFEST), variables).await.unwrap();
    let address = with(&database, &[("sslmode", "require")]);
    let steps = json!([{"query": ["select ssl from pg_stat_ssl where pid = pg_backend_pid()", []]}]);

    let other_name = certify(&cluster, "db.example").await;
    for root in [None, Some(&other_name)] {
        let script = json!({"open": "build-async", "root_certificate": root, "steps": steps});
        let answer = app.script_on(&address, script).await;
        assert!(answer["open_error"]["connection-failed"].is_string(), "{root:?}: {answer}");
    }

    let own_name = certify(&cluster, "127.0.0.1").await;
    let script = json!({"open": "build-async", "root_certificate": own_name, "steps": steps});
    let answer = app.script_on(&address, script).await;
    assert_eq!(answer["results"][0]["rows"], json!([[{"boolean": true}]]), "{answer}");
}
