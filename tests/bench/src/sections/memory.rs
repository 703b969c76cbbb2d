//! The linear memory of an instance that takes the largest batch there is.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::try_join_all;
use reqwest::Client;
use tally_host::progress::say;
use tally_host::spin::{self, Capture, Environment, GuestOutput, HostOptions, ReuseLimits};

use crate::data::{Shape, Supply, full_body, json_body};
use crate::ground::{Ground, STORES};
use crate::report::{Table, grouped};
use crate::writer::{Expected, post};

const DATABASE: &str = "memory";
const COMPONENT: &str = "ingest";
const EVENTS: usize = 5_000;
const MAX_BODY: usize = 10 * 1024 * 1024;
const AT_ONCE: usize = 4;
const SEED: u64 = 4;
const MIB: f64 = 1_048_576.0;

/// Serves the bundle within this process, which can look into the instances; answers a section.
pub(crate) async fn measure(ground: &Ground) -> Result<String> {
    let mut table = Table::new(&["what an instance was sent", "bytes of it", "MiB of linear memory"]);
    for load in [Load::One, Load::Plain, Load::Full, Load::FullInGzip, Load::FullAtOnce] {
        let (size, bytes) = alone(ground, load).await.with_context(|| format!("memory: {}", load.name()))?;
        say(format!("memory: {}: {:.1} MiB", load.name(), bytes as f64 / MIB));
        table.row(&[load.name(), &grouped(size as f64), &format!("{:.1}", bytes as f64 / MIB)]);
    }
    Ok(format!(
        "### Memory\n\nThe aim: less than 64 MiB for the largest batch. Each line is of an instance that took nothing else.\n\n{}",
        table.into_text()
    ))
}

/// What an instance is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    One,
    Plain,
    Full,
    FullInGzip,
    FullAtOnce,
}

impl Load {
    fn name(self) -> &'static str {
        match self {
            Self::One => "one event",
            Self::Plain => "5,000 events",
            Self::Full => "5,000 events that fill the largest body",
            Self::FullInGzip => "the same in gzip",
            Self::FullAtOnce => "four of these at once, plain",
        }
    }
}

/// Sends this to a host of its own; answers the size of the body and what the instance has in the end.
async fn alone(ground: &Ground, load: Load) -> Result<(usize, usize)> {
    let database_url = ground.database(DATABASE).await?;
    let variables = ground.variables(&database_url)?;
    let manifest = ground.manifest();
    let host = spin::start(HostOptions {
        cache_dir: manifest.with_file_name("target").join("wasmtime-cache"),
        manifest,
        listen: ([127, 0, 0, 1], 0).into(),
        variables: variables.clone(),
        environment: Environment::default(),
        guest_output: GuestOutput::Capture(Capture::default()), // its last word at the shutdown is of no interest
        reuse: ReuseLimits::default(),
    })
    .await?;
    let organization = ground.organization(0, STORES, &variables, &host.base_url(), &database_url).await?;
    let supply = Supply::new(&[organization], SEED);
    let sent = send(load, &format!("{}/v1/events", host.base_url()), supply).await;
    let peak = host.peak_memory(COMPONENT).context("the bundle has no component of this name");
    host.shutdown().await;
    ground.drop_database(DATABASE).await?;
    Ok((sent?, peak?))
}

async fn send(load: Load, url: &str, mut supply: Supply) -> Result<usize> {
    let client = Client::new();
    let (requests, events) = match load {
        Load::One => (1, 1),
        Load::Plain | Load::Full | Load::FullInGzip => (1, EVENTS),
        Load::FullAtOnce => (AT_ONCE, EVENTS),
    };
    let mut bodies = Vec::new();
    for _ in 0..requests {
        let batch = supply.batch(Shape::Mixed, events);
        let body = match load {
            Load::One | Load::Plain => json_body(&batch.events),
            Load::Full | Load::FullAtOnce => full_body(&batch.events, MAX_BODY)?,
            Load::FullInGzip => gzip(&full_body(&batch.events, MAX_BODY)?)?,
        };
        bodies.push((batch.api_key, body));
    }
    let size = bodies.iter().map(|(_, body)| body.len()).sum();
    let encoding = (load == Load::FullInGzip).then_some("gzip");
    let requests = bodies.iter().map(|(api_key, body)| post(&client, url, api_key, body.clone(), encoding));
    for receipt in try_join_all(requests).await? {
        receipt.check(Expected::New, events)?;
    }
    Ok(size)
}

fn gzip(body: &[u8]) -> Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    Ok(encoder.finish()?.into())
}
