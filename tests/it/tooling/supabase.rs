//! A database as Supabase hands it out: migrated by a role that is no superuser and does not own `auth.users`, used by the
//! provider's role and the way `PostgREST` does.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tally_host::database::{Cluster, ClusterOptions};
use tally_host::migrate::migrate;
use tokio::process::Command;
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::repository;

const FIXTURE: &str = include_str!("supabase.sql");
const DATABASE: &str = "supabase";
/// A copy of it from before the migrations.
const BY_HAND: &str = "by_hand";
/// When something is taken to wait without end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long Supabase Auth waits for a hook.
const PROVIDER_HANGS_UP: Duration = Duration::from_secs(2);
/// The roles that `PostgREST` switches to.
const API_ROLES: [&str; 3] = ["anon", "authenticated", "service_role"];

/// A server of its own, since roles belong to the whole server.
struct Supabase {
    cluster: Cluster,
}

impl Supabase {
    async fn start() -> Result<Self> {
        let cluster = Cluster::start(ClusterOptions::Throwaway).await?;
        cluster.create_database(DATABASE).await?;
        let mut superuser = PgConnection::connect(&cluster.database_url(DATABASE)).await?;
        sqlx::raw_sql(FIXTURE).execute(&mut superuser).await.context("the fixture")?;
        superuser.close().await?;
        cluster.create_from_template(BY_HAND, DATABASE).await?;
        cluster.administer(format!("alter database {BY_HAND} owner to postgres")).await?;
        Ok(Self { cluster })
    }

    fn url(&self, role: &str) -> String {
        format!("postgres://{role}:test@127.0.0.1:{}/{DATABASE}?sslmode=disable", self.cluster.port())
    }

    async fn connect(&self, role: &str) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.url(role)).await?)
    }

    async fn superuser(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.cluster.database_url(DATABASE)).await?)
    }

    /// A sign-up, as Supabase Auth makes it.
    async fn sign_up(&self, company: &str) -> Result<Uuid> {
        let user_id = Uuid::new_v4();
        sqlx::query(
            "insert into users (id, aud, role, email, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
             values ($1, 'authenticated', '', $2, '{\"provider\": \"email\"}', jsonb_build_object('company', $3::text), now(), now())",
        )
        .bind(user_id)
        .bind(format!("{user_id}@example.org"))
        .bind(company)
        .execute(&mut self.connect("supabase_auth_admin").await?)
        .await?;
        Ok(user_id)
    }

    /// The claims of the user's next token.
    async fn claims(&self, user_id: Uuid) -> Result<Value> {
        Ok(self.token(user_id).await?["claims"].clone())
    }

    /// What the hook says of the user's next token.
    async fn token(&self, user_id: Uuid) -> Result<Value> {
        token(&mut self.connect("supabase_auth_admin").await?, user_id).await
    }

    /// The one text that a query answers, asked the way `PostgREST` does.
    async fn postgrest(&self, role: &str, claims: &Value, query: &str) -> Result<Option<String>, sqlx::Error> {
        let mut connection = PgConnection::connect(&self.url("authenticator")).await?;
        let mut transaction = connection.begin().await?;
        sqlx::raw_sql(AssertSqlSafe(format!("set local role {role}"))).execute(&mut *transaction).await?;
        sqlx::query("select set_config('request.jwt.claims', $1, true)")
            .bind(claims.to_string())
            .execute(&mut *transaction)
            .await?;
        let answer = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(answer.map(|row| row.try_get::<Option<String>, _>(0)).transpose()?.flatten())
    }
}

async fn token(provider: &mut PgConnection, user_id: Uuid) -> Result<Value> {
    let answer: String = sqlx::query_scalar("select public.custom_access_token_hook($1::jsonb)::text")
        .bind(json!({"user_id": user_id, "claims": {"sub": user_id, "role": "authenticated"}}).to_string())
        .fetch_one(provider)
        .await?;
    Ok(serde_json::from_str(&answer)?)
}

#[tokio::test]
async fn the_schema_does_its_work_on_supabase() -> Result<()> {
    let supabase = Supabase::start().await?;
    migrate(&supabase.url("postgres")).await?;
    assert!(migrate(&supabase.url("postgres")).await?.applied.is_empty());

    nothing_is_handed_to_the_api(&supabase).await?;
    a_sign_up_makes_an_organization_and_the_token_names_it(&supabase).await?;
    the_hook_is_the_providers_alone(&supabase).await?;
    postgrest_shows_each_their_own(&supabase).await?;
    a_credential_is_encrypted_with_the_extension_that_is_there(&supabase).await?;
    the_lines_for_psql_do_the_same(&supabase).await?;
    a_sign_up_does_not_wait_for_what_is_locked(&supabase).await?;
    a_token_that_cannot_be_made_is_an_error_in_time(&supabase).await
}

/// Supabase's default privileges give everything in `public` to everybody; nothing of ours may get them.
async fn nothing_is_handed_to_the_api(supabase: &Supabase) -> Result<()> {
    const TRUNCATABLE: &str = "select string_agg(format('%s by %s', c.oid::regclass, r.role), ', ')
        from pg_class c, unnest(array['anon', 'authenticated', 'service_role']) as r (role)
        where c.relkind in ('r', 'p', 'v') and c.relnamespace::regnamespace::text in ('public', 'app', 'api', 'private', 'partitions')
          and (has_table_privilege(r.role, c.oid, 'truncate')
               or r.role = 'anon' and has_any_column_privilege('anon', c.oid, 'select, insert, update'))";
    const EXECUTABLE: &str = "select string_agg(format('%s by %s', p.oid::regprocedure, r.role), ', ')
        from pg_proc p, unnest(array['anon', 'authenticated', 'service_role']) as r (role)
        where p.pronamespace::regnamespace::text = 'public' and p.prosecdef and has_function_privilege(r.role, p.oid, 'execute')";
    let mut superuser = supabase.superuser().await?;
    for query in [TRUNCATABLE, EXECUTABLE] {
        assert_eq!(sqlx::query_scalar::<_, Option<String>>(query).fetch_one(&mut superuser).await?, None);
    }

    // Whether these would have noticed.
    let mut owner = supabase.connect("postgres").await?;
    let made_by_postgres = "create table public.test ();
        create function public.test() returns int language sql security definer return 1";
    sqlx::raw_sql(made_by_postgres).execute(&mut owner).await?;
    for query in [TRUNCATABLE, EXECUTABLE] {
        assert!(sqlx::query_scalar::<_, Option<String>>(query).fetch_one(&mut superuser).await?.is_some());
    }
    sqlx::raw_sql("drop table public.test; drop function public.test()").execute(&mut owner).await?;
    Ok(())
}

async fn a_sign_up_makes_an_organization_and_the_token_names_it(supabase: &Supabase) -> Result<()> {
    let user_id = supabase.sign_up("Acme").await?;
    let org_id: String = sqlx::query_scalar(
        "select o.id::text from public.organizations o where o.signup_user_id = $1 and o.name = 'Acme'",
    )
    .bind(user_id)
    .fetch_one(&mut supabase.superuser().await?)
    .await
    .context("the trigger made no organization")?;
    assert_eq!(
        supabase.claims(user_id).await?,
        json!({"sub": user_id, "role": "authenticated", "org_id": org_id, "user_role": "owner"})
    );
    Ok(())
}

async fn the_hook_is_the_providers_alone(supabase: &Supabase) -> Result<()> {
    for role in API_ROLES {
        let called =
            supabase.postgrest(role, &json!({}), "select public.custom_access_token_hook('{}'::jsonb)::text").await;
        let code =
            called.unwrap_err().into_database_error().and_then(|error| error.code().map(|code| code.to_string()));
        assert_eq!(code.as_deref(), Some("42501"), "{role}");
    }
    Ok(())
}

async fn postgrest_shows_each_their_own(supabase: &Supabase) -> Result<()> {
    const NAMES: &str = "select string_agg(name, ', ' order by name) from public.organizations";
    const RENAME: &str = "update public.organizations set name = 'Mine' where name <> 'Mine' returning name";
    let claims = supabase.claims(supabase.sign_up("Bolt").await?).await?;
    assert_eq!(supabase.postgrest("authenticated", &claims, NAMES).await?.as_deref(), Some("Bolt"));
    assert_eq!(supabase.postgrest("authenticated", &claims, RENAME).await?.as_deref(), Some("Mine"));
    assert_eq!(supabase.postgrest("authenticated", &claims, RENAME).await?, None, "somebody else's was renamed");

    assert_eq!(supabase.postgrest("authenticated", &json!({"sub": Uuid::new_v4()}), NAMES).await?, None);
    assert!(supabase.postgrest("anon", &claims, NAMES).await.is_err());
    assert_eq!(supabase.postgrest("service_role", &json!({}), NAMES).await?.as_deref(), Some("Acme, Mine"));
    Ok(())
}

async fn a_credential_is_encrypted_with_the_extension_that_is_there(supabase: &Supabase) -> Result<()> {
    const CONNECTION: &str = "with store as (
            insert into public.stores (org_id, workspace_id, name) select org_id, id, 'Shop' from public.workspaces limit 1
            returning org_id, id
        )
        insert into public.integration_connections (org_id, store_id, provider, display_name)
        select org_id, id, 'shopify', 'Shop' from store returning id::text";
    const STORE: &str = "select private.store_integration_credential(org_id, id, 'secret', repeat('k', 32))::text
        from public.integration_connections where vault_secret_id is null";
    const GET: &str =
        "select private.get_integration_credential(org_id, id, repeat('k', 32)) from public.integration_connections";
    for query in [CONNECTION, STORE] {
        supabase.postgrest("service_role", &json!({}), query).await?.context(query)?;
    }
    assert_eq!(supabase.postgrest("service_role", &json!({}), GET).await?.as_deref(), Some("secret"));
    assert!(supabase.postgrest("authenticated", &json!({}), GET).await.is_err());
    Ok(())
}

/// Runs what sql/README.md prints.
async fn the_lines_for_psql_do_the_same(supabase: &Supabase) -> Result<()> {
    const MADE: &str = "select concat_ws(' ',
        (select count(*) from pg_proc where proowner = 'tally_owner'::regrole),
        (select count(*) from pg_class where relowner = 'tally_owner'::regrole),
        (select count(*) from pg_policy), (select count(*) from pg_trigger), (select count(*) from public.metric_definitions))";
    let page = fs::read_to_string(repository().join("sql/README.md"))?;
    let lines = page.split("```").find(|block| block.starts_with("sh") && block.contains("sql/shim/"));
    let output = Command::new("bash")
        .args(["-c", lines.and_then(|block| block.strip_prefix("sh")).context("sql/README.md has no such lines")?])
        .current_dir(repository())
        .env("DATABASE_URL", supabase.url("postgres").replace(DATABASE, BY_HAND))
        .output()
        .await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let made = async |database: &str| -> Result<String> {
        let mut superuser = PgConnection::connect(&supabase.cluster.database_url(database)).await?;
        Ok(sqlx::query_scalar(MADE).fetch_one(&mut superuser).await?)
    };
    assert_eq!(made(BY_HAND).await?, made(DATABASE).await?);
    Ok(())
}

async fn a_sign_up_does_not_wait_for_what_is_locked(supabase: &Supabase) -> Result<()> {
    const FAILURES: &str = "select count(*) from app.provisioning_failures where user_id = $1";
    let mut superuser = supabase.superuser().await?;
    let mut other = supabase.superuser().await?;
    let mut lock = other.begin().await?;
    sqlx::raw_sql("lock table public.organizations in exclusive mode").execute(&mut *lock).await?;

    // The lock stays until both are through.
    let user_id = timeout(PATIENCE, supabase.sign_up("Late")).await.context("the sign-up waits")??;
    let claims = timeout(PATIENCE, supabase.claims(user_id)).await.context("the token waits")??;
    assert!(claims.get("org_id").is_none());
    lock.rollback().await?;
    assert_eq!(supabase.claims(user_id).await?["user_role"], "owner", "the next token makes it good");
    let failures: i64 = sqlx::query_scalar(FAILURES).bind(user_id).fetch_one(&mut superuser).await?;
    assert_eq!(failures, 0, "to wait for another is no failure");
    Ok(())
}

async fn a_token_that_cannot_be_made_is_an_error_in_time(supabase: &Supabase) -> Result<()> {
    let user_id = supabase.sign_up("Busy").await?;
    let mut other = supabase.superuser().await?;
    let mut lock = other.begin().await?;
    sqlx::raw_sql("lock table public.org_members in access exclusive mode").execute(&mut *lock).await?;
    let mut provider = supabase.connect("supabase_auth_admin").await?;
    let mut fastest = Duration::MAX;
    // The fastest of a few, since this machine may be busy with other things.
    for _ in 0..5 {
        let started = Instant::now();
        let token = timeout(PATIENCE, token(&mut provider, user_id)).await.context("the token waits")??;
        fastest = fastest.min(started.elapsed());
        // A member whose membership cannot be read is not to be taken for somebody without one.
        assert_eq!(token["error"]["http_code"], 500);
        if fastest < PROVIDER_HANGS_UP {
            break;
        }
    }
    assert!(fastest < PROVIDER_HANGS_UP, "{fastest:?}");
    lock.rollback().await?;
    assert_eq!(supabase.claims(user_id).await?["user_role"], "owner");
    Ok(())
}
