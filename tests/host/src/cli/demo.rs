//! `tally demo`: the demo tenant, through a server that runs.

use anyhow::{Context as _, Result};

use super::place::Place;
use crate::demo;
use crate::dev::Dev;
use crate::progress::say;

pub(super) async fn run(place: &Place, base_url: String) -> Result<()> {
    let data_dir = place.data_dir();
    let mut dev = Dev::read(data_dir).with_context(|| {
        format!("there is no dev.json in {}: `{} db` writes it", data_dir.display(), place.command())
    })?;
    dev.base_url = base_url.trim_end_matches('/').to_owned();
    load(place, &mut dev).await
}

/// Loads the tenant and completes dev.json.
pub(super) async fn load(place: &Place, dev: &mut Dev) -> Result<()> {
    let tenant = demo::load(dev).await?;
    say(format!("demo: organization {}, store {}", tenant.org_id, tenant.store_id));
    dev.tenant = Some(tenant);
    dev.write(place.data_dir())
}
