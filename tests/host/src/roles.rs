//! The functions' database roles: their passwords, and the bundle's variables that follow from them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use url::Url;

use crate::secrets::Secrets;

/// The login roles, one a function, and the variable that holds the function's connection URL.
const URL_VARIABLES: [(&str, &str); 4] = [
    ("tally_provision", "provision_database_url"),
    ("tally_token_hook", "token_hook_database_url"),
    ("tally_ingest", "ingest_database_url"),
    ("tally_query", "query_database_url"),
];

/// The login roles.
pub const ROLES: [&str; 4] = [URL_VARIABLES[0].0, URL_VARIABLES[1].0, URL_VARIABLES[2].0, URL_VARIABLES[3].0];

/// Who issues access tokens locally, in Supabase's form.
pub const LOCAL_ISSUER: &str = "http://127.0.0.1:54321/auth/v1";
/// Whom access tokens are for, as Supabase says it.
pub const LOCAL_AUDIENCE: &str = "authenticated";

/// Gives the roles these passwords. Roles belong to the whole server, not to one database.
pub async fn set_role_passwords(database_url: &str, secrets: &Secrets) -> Result<()> {
    let mut connection = PgConnection::connect(database_url).await?;
    // Statements with passwords are for no log; only a superuser may say so, others must trust the server's settings.
    sqlx::raw_sql("do $$ begin if (select rolsuper from pg_roles where rolname = current_user) then set log_statement = 'none'; set log_min_error_statement = 'panic'; set log_min_duration_statement = -1; end if; end $$")
        .execute(&mut connection)
        .await?;
    for (role, password) in &secrets.role_passwords {
        let statement = format!("alter role {role} password '{password}'");
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .with_context(|| format!("cannot set the password of {role}"))?;
    }
    Ok(connection.close().await?)
}

/// The bundle's variables that say whom to trust.
fn identity_variables(secrets: &Secrets) -> [(&'static str, &str); 4] {
    [
        ("webhook_secrets", &secrets.webhook_secret),
        ("jwt_secret", &secrets.jwt_secret),
        ("jwt_issuer", LOCAL_ISSUER),
        ("jwt_audience", LOCAL_AUDIENCE),
    ]
}

/// Whether the functions could use these secrets, which they would say only in a request.
pub fn check(secrets: &Secrets) -> Result<()> {
    let variables = BTreeMap::from(identity_variables(secrets));
    Ok(tally_core::settings::check(|name| variables.get(name).copied())?)
}

/// The bundle's variables for the database behind `database_url`.
pub fn variables(database_url: &str, secrets: &Secrets) -> Result<BTreeMap<String, String>> {
    let owner = Url::parse(database_url).context("the database URL")?;
    let mut variables: BTreeMap<String, String> =
        identity_variables(secrets).into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let host = owner.host_str().context("the database URL names no host")?;
    variables.insert("database_host".to_owned(), host.to_owned());
    variables.insert("database_port".to_owned(), owner.port().unwrap_or(5432).to_string());
    for (role, variable) in URL_VARIABLES {
        let password = secrets.role_passwords.get(role).with_context(|| format!("{role} has no password"))?;
        let mut url = owner.clone();
        url.set_username(role).ok().zip(url.set_password(Some(password)).ok()).context("the database URL")?;
        variables.insert(variable.to_owned(), url.into());
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_has_a_url_of_its_own() {
        let secrets = Secrets::random().unwrap();
        let variables = variables("postgres://tally:owner@127.0.0.1:5433/tally?sslmode=disable", &secrets).unwrap();
        let password = &secrets.role_passwords["tally_query"];
        assert_eq!(
            variables["query_database_url"],
            format!("postgres://tally_query:{password}@127.0.0.1:5433/tally?sslmode=disable")
        );
        assert_eq!(variables["database_host"], "127.0.0.1");
        assert_eq!(variables["database_port"], "5433");
        assert_eq!(variables.len(), 10);
        assert!(variables.values().all(|value| !value.contains("owner")));
    }

    #[test]
    fn secrets_that_the_functions_would_refuse_are_told() {
        let secrets = Secrets::random().unwrap();
        check(&secrets).unwrap();
        let short = Secrets { webhook_secret: "v1,whsec_c2hvcnQ=".to_owned(), ..secrets.clone() };
        let weak = Secrets { jwt_secret: "hunter2".to_owned(), ..secrets.clone() };
        let none = Secrets { jwt_secret: String::new(), ..secrets };
        for (secrets, told) in [(short, "`webhook_secrets`"), (weak, "`jwt_secret`"), (none, "`jwt_secret`")] {
            let error = format!("{:#}", check(&secrets).unwrap_err());
            assert!(error.contains(told) && !error.contains("hunter2") && !error.contains("c2hvcnQ"), "{error}");
        }
    }

    #[test]
    fn a_url_without_a_port_means_the_usual_one() {
        let secrets = Secrets::random().unwrap();
        let variables = variables("postgres://me@db.example/tally", &secrets).unwrap();
        assert_eq!(variables["database_port"], "5432");
        assert!(variables["ingest_database_url"].ends_with("@db.example/tally"));
    }
}
