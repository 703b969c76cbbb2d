//! The people of the tests, who come into being the way real ones do.

use anyhow::{Context as _, Result};
use serde_json::Value;
use sqlx::Connection as _;
use tally_host::identity::User;
use uuid::Uuid;

use super::Bundle;

/// A company with its founder signed in, and one store.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    /// The founder.
    pub(crate) user: User,
    /// The organization.
    pub(crate) org_id: String,
    /// Its workspace.
    pub(crate) workspace_id: String,
    /// Its store: in New York, counting in US dollars.
    pub(crate) store_id: String,
    /// The claims of the founder's token.
    pub(crate) claims: Value,
    /// The founder's access token.
    pub(crate) token: String,
}

impl Tenant {
    /// Sign-up, sign-in, a store.
    pub(super) async fn found(bundle: &Bundle, company: &str) -> Result<Self> {
        let user = User {
            id: Uuid::new_v4(),
            email: format!("founder@{}.example", company.to_lowercase().replace(' ', "-")),
            company: company.to_owned(),
        };
        bundle.identity.sign_up(&bundle.client, &bundle.base_url, &user).await?;
        let claims = Value::Object(bundle.identity.sign_in(&bundle.client, &bundle.base_url, &user).await?);
        let org_id = claims["org_id"].as_str().context("the token has no org_id")?.to_owned();
        let mut database = bundle.database().await?;
        let workspace_id: String = sqlx::query_scalar("select id::text from public.workspaces where org_id = $1::uuid")
            .bind(&org_id)
            .fetch_one(&mut database)
            .await?;
        let store_id: String = sqlx::query_scalar(
            "insert into public.stores (org_id, workspace_id, name, timezone, currency) \
             values ($1::uuid, $2::uuid, $3, 'America/New_York', 'USD') returning id::text",
        )
        .bind(&org_id)
        .bind(&workspace_id)
        .bind(format!("{company} store"))
        .fetch_one(&mut database)
        .await?;
        database.close().await?;
        let token = bundle.identity.mint(&claims)?;
        Ok(Self { user, org_id, workspace_id, store_id, claims, token })
    }

    /// A token of the founder with other claims.
    pub(crate) fn token_with(&self, bundle: &Bundle, change: impl FnOnce(&mut Value)) -> Result<String> {
        let mut claims = self.claims.clone();
        change(&mut claims);
        bundle.identity.mint(&claims)
    }

    /// Another store of the organization.
    pub(crate) async fn add_store(&self, bundle: &Bundle, timezone: &str) -> Result<String> {
        let mut database = bundle.database().await?;
        let store_id = sqlx::query_scalar(
            "insert into public.stores (org_id, workspace_id, name, timezone, currency) \
             values ($1::uuid, $2::uuid, $3, $3, 'USD') returning id::text",
        )
        .bind(&self.org_id)
        .bind(&self.workspace_id)
        .bind(timezone)
        .fetch_one(&mut database)
        .await?;
        database.close().await?;
        Ok(store_id)
    }

    /// A new API key of the organization.
    pub(crate) async fn api_key(&self, bundle: &Bundle, scopes: &[&str], store_id: Option<&str>) -> Result<String> {
        let mut database = bundle.database().await?;
        let key = sqlx::query_scalar("select app.create_api_key($1::uuid, 'test', $2, $3::uuid)")
            .bind(&self.org_id)
            .bind(scopes)
            .bind(store_id)
            .fetch_one(&mut database)
            .await?;
        database.close().await?;
        Ok(key)
    }
}
