//! Plans of tests: what they allow, and who is on them.

use sqlx::AssertSqlSafe;

use crate::harness::{Bundle, Tenant};

/// Puts an organization on a plan that allows this, as the `set` of an update says it.
pub(super) async fn put_on_plan(bundle: &Bundle, tenant: &Tenant, plan: &str, allows: &str) {
    let (org_id, tier) = (&tenant.org_id, format!("'{plan}'::public.plan_tier"));
    let statements = format!(
        "update app.plan_limits set {allows} where plan_tier = {tier};
         update public.organizations set plan_tier = {tier} where id = '{org_id}'"
    );
    bundle.execute(AssertSqlSafe(statements)).await;
}
