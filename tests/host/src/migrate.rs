//! Brings a database to the state that this binary was built with.
//!
//! The shim (what plain Postgres lacks of Supabase), then each migration once, then all functions and the catalogue anew.
//! The SQL is part of the binary. One session-wide advisory lock makes a second migrator wait for the first.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use include_dir::{Dir, include_dir};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _};

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../sql");

const OLDEST_SERVER: i32 = 15;
/// Any number, the same for all migrators of this schema.
const LOCK: i64 = 0x7461_6c6c_7968_6f75;
const LOCK_LIMIT: Duration = Duration::from_secs(15 * 60);
/// How long a statement waits for a lock: everybody who wants the same table waits behind it.
const WAIT_LIMIT: Duration = Duration::from_secs(10);
const TABLE: &str = "app.schema_migrations";

/// One SQL file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SqlFile {
    /// Its path under `sql/`.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// The schema: the files of `sql/`.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Applied first, looking themselves what is missing.
    pub shim: Vec<SqlFile>,
    /// Applied once each.
    pub migrations: Vec<SqlFile>,
    /// Applied each time.
    pub functions: Vec<SqlFile>,
    /// Applied each time, last.
    pub catalogue: Vec<SqlFile>,
}

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The migrations that were new to the database, by file name.
    pub applied: Vec<String>,
    /// How many migrations it has now.
    pub migrations: usize,
    /// How many function files were applied.
    pub functions: usize,
}

/// Migrates the database to the schema of this binary.
pub async fn migrate(database_url: &str) -> Result<Report> {
    Schema::embedded()?.apply(database_url).await
}

impl Schema {
    /// The schema that this binary was built with.
    pub fn embedded() -> Result<Self> {
        let mut files = Vec::new();
        collect(&EMBEDDED, &mut files)?;
        Ok(Self::sort(files))
    }

    /// The schema in a folder like `sql/`.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        read_folder(folder, folder, &mut files)?;
        ensure!(!files.is_empty(), "no SQL files in {}", folder.display());
        Ok(Self::sort(files))
    }

    fn sort(mut files: Vec<SqlFile>) -> Self {
        files.sort();
        let under = |folder: &str| files.iter().filter(|file| file.path.starts_with(folder)).cloned().collect();
        Self {
            shim: under("shim"),
            migrations: under("migrations"),
            functions: under("functions"),
            catalogue: under("catalogue"),
        }
    }

    /// Migrates the database to this schema.
    pub async fn apply(&self, database_url: &str) -> Result<Report> {
        let migrator = self.migrator()?;
        let mut connection = PgConnection::connect(database_url).await.context("cannot connect to the database")?;
        check_server(&mut connection).await?;
        lock(&mut connection).await?;
        // Closing the connection releases the lock, in failure too.
        let outcome = self.apply_locked(&migrator, &mut connection).await;
        connection.close().await?;
        outcome
    }

    async fn apply_locked(&self, migrator: &Migrator, connection: &mut PgConnection) -> Result<Report> {
        for file in &self.shim {
            run(connection, file).await?;
        }
        let before = applied_versions(connection).await?;
        migrator.run_direct(None, connection, false).await.map_err(|error| self.explain(error))?;
        self.apply_repeatable(connection).await?;
        let new = migrator.iter().zip(&self.migrations).filter(|(migration, _)| !before.contains(&migration.version));
        Ok(Report {
            applied: new.map(|(_, file)| file_name(&file.path)).collect(),
            migrations: self.migrations.len(),
            functions: self.functions.len(),
        })
    }

    /// All or nothing: a half-replaced set of functions must not serve.
    async fn apply_repeatable(&self, connection: &mut PgConnection) -> Result<()> {
        let mut transaction = connection.begin().await?;
        // Functions call one another in any order: first all without a look at the bodies, then again with one.
        for check in ["set local check_function_bodies = off", "set local check_function_bodies = on"] {
            sqlx::raw_sql(check).execute(&mut *transaction).await?;
            for file in &self.functions {
                run(&mut transaction, file).await?;
            }
        }
        for file in &self.catalogue {
            run(&mut transaction, file).await?;
        }
        Ok(transaction.commit().await?)
    }

    fn migrator(&self) -> Result<Migrator> {
        let migrations = self.migrations.iter().map(read_migration).collect::<Result<Vec<_>>>()?;
        for pair in migrations.windows(2) {
            ensure!(pair[0].version != pair[1].version, "two migrations have the stamp {}", pair[0].version);
        }
        let mut migrator = Migrator::with_migrations(migrations);
        migrator.set_locking(false);
        // Not in public, which PostgREST shows.
        migrator.dangerous_set_table_name(TABLE);
        migrator.create_schema("app");
        Ok(migrator)
    }

    fn explain(&self, error: MigrateError) -> anyhow::Error {
        match error {
            MigrateError::VersionMismatch(version) => anyhow!(
                "{} was changed after this database had it: write a new migration instead",
                self.name_of(version)
            ),
            MigrateError::VersionMissing(version) => anyhow!(
                "the database has a migration {version} that this binary does not know: a newer version migrated it"
            ),
            MigrateError::ExecuteMigration(error, version) => {
                anyhow::Error::new(error).context(format!("migrations/{} failed", self.name_of(version)))
            }
            other => other.into(),
        }
    }

    fn name_of(&self, version: i64) -> String {
        let stamp = version.to_string();
        let names = self.migrations.iter().map(|file| file_name(&file.path));
        names.into_iter().find(|name| name.starts_with(&stamp)).unwrap_or(stamp)
    }
}

fn collect(folder: &Dir<'_>, files: &mut Vec<SqlFile>) -> Result<()> {
    for file in folder.files().filter(|file| file.path().extension().is_some_and(|extension| extension == "sql")) {
        files.push(SqlFile {
            path: file.path().to_owned(),
            text: file.contents_utf8().with_context(|| format!("{} is not UTF-8", file.path().display()))?.to_owned(),
        });
    }
    folder.dirs().try_for_each(|folder| collect(folder, files))
}

fn read_folder(root: &Path, folder: &Path, files: &mut Vec<SqlFile>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            read_folder(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.push(SqlFile { path: path.strip_prefix(root)?.to_owned(), text });
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read_migration(file: &SqlFile) -> Result<Migration> {
    let (version, description) = parse_name(&file_name(&file.path))
        .with_context(|| format!("{} is not named <14 digits>_<verb_noun>.sql", file.path.display()))?;
    // What cannot run in a transaction says so in its first line, as for sqlx's own command.
    let no_transaction = file.text.starts_with("-- no-transaction");
    let sql = AssertSqlSafe(file.text.clone()).into_sql_str();
    Ok(Migration::new(version, description.into(), MigrationType::Simple, sql, no_transaction))
}

fn parse_name(name: &str) -> Option<(i64, String)> {
    let (stamp, rest) = name.strip_suffix(".sql")?.split_once('_')?;
    let is_stamp = stamp.len() == 14 && stamp.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain =
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (is_stamp && is_plain).then(|| Some((stamp.parse().ok()?, rest.replace('_', " "))))?
}

async fn check_server(connection: &mut PgConnection) -> Result<()> {
    let version: String = sqlx::query_scalar("show server_version").fetch_one(&mut *connection).await?;
    let number: String = sqlx::query_scalar("show server_version_num").fetch_one(&mut *connection).await?;
    let major = number.parse::<i32>()? / 10_000;
    ensure!(major >= OLDEST_SERVER, "the server is Postgres {version}; the schema needs {OLDEST_SERVER} or newer");
    Ok(())
}

async fn lock(connection: &mut PgConnection) -> Result<()> {
    let limit = format!("set lock_timeout = {}", LOCK_LIMIT.as_millis());
    sqlx::raw_sql(AssertSqlSafe(limit)).execute(&mut *connection).await?;
    sqlx::query("select pg_advisory_lock($1)")
        .bind(LOCK)
        .execute(&mut *connection)
        .await
        .with_context(|| format!("another migrator has been at work for {} minutes", LOCK_LIMIT.as_secs() / 60))?;
    let limit = format!("set lock_timeout = {}", WAIT_LIMIT.as_millis());
    sqlx::raw_sql(AssertSqlSafe(limit)).execute(&mut *connection).await?;
    Ok(())
}

async fn applied_versions(connection: &mut PgConnection) -> Result<Vec<i64>> {
    let has_table: bool =
        sqlx::query_scalar("select to_regclass($1) is not null").bind(TABLE).fetch_one(&mut *connection).await?;
    if !has_table {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_scalar("select version from app.schema_migrations").fetch_all(connection).await?)
}

async fn run(connection: &mut PgConnection, file: &SqlFile) -> Result<()> {
    let outcome = sqlx::raw_sql(AssertSqlSafe(file.text.clone())).execute(connection).await;
    match outcome {
        Ok(_) => Ok(()),
        Err(error) => bail!(anyhow::Error::new(error).context(format!("sql/{} failed", file.path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_migration_names() {
        assert_eq!(
            parse_name("20261122190000_create_roles.sql"),
            Some((20_261_122_190_000, "create roles".to_owned()))
        );
        for wrong in [
            "2026112219000_create.sql",
            "20261122190000.sql",
            "20261122190000_.sql",
            "20261122190000_Create.sql",
            "x.sql",
        ] {
            assert_eq!(parse_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_binary_holds_the_schema() {
        let schema = Schema::embedded().unwrap();
        assert!(!schema.shim.is_empty());
        assert!(!schema.functions.is_empty());
        assert!(!schema.catalogue.is_empty());
        let migrator = schema.migrator().unwrap();
        assert_eq!(migrator.iter().count(), schema.migrations.len());
        assert!(schema.migrations.is_sorted());
    }

    #[test]
    fn a_folder_holds_the_schema_that_the_binary_holds() {
        let read = Schema::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql")).unwrap();
        let embedded = Schema::embedded().unwrap();
        assert_eq!((&read.shim, &read.migrations), (&embedded.shim, &embedded.migrations));
        assert_eq!((&read.functions, &read.catalogue), (&embedded.functions, &embedded.catalogue));
        assert!(Schema::read(tempfile::tempdir().unwrap().path()).is_err());
    }

    #[test]
    fn two_migrations_of_one_stamp_are_refused() {
        let file = |name: &str| SqlFile { path: Path::new("migrations").join(name), text: String::new() };
        let schema = Schema {
            migrations: vec![file("20261122190000_create_a.sql"), file("20261122190000_create_b.sql")],
            ..Schema::default()
        };
        assert!(schema.migrator().is_err());
    }
}
