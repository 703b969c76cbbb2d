//! A turn: the clients of one contestant write the parcels that were made for it, and the clock runs until the last is
//! committed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Result;
use futures::future::try_join_all;

use crate::cpu::{Processes, Usage};
use crate::writer::{Parcel, Writer};

/// What a turn came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) rows: usize,
    pub(crate) seconds: f64,
    /// What the processes took meanwhile, where the system tells.
    pub(crate) usage: Option<Usage>,
}

impl Outcome {
    /// Rows a second.
    pub(crate) fn rate(&self) -> f64 {
        self.rows as f64 / self.seconds
    }
}

/// Takes a turn: whoever is free takes the next parcel.
pub(crate) async fn take(writers: &[Writer], parcels: &[Parcel], processes: Processes) -> Result<Outcome> {
    let next = AtomicUsize::new(0);
    let before = Usage::now(processes);
    let start = Instant::now();
    try_join_all(writers.iter().map(|writer| async {
        while let Some(parcel) = parcels.get(next.fetch_add(1, Ordering::Relaxed)) {
            writer.write(parcel).await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    let seconds = start.elapsed().as_secs_f64();
    let after = Usage::now(processes);
    let usage = before.zip(after).map(|(before, after)| after - before);
    Ok(Outcome { rows: parcels.iter().map(|parcel| parcel.rows).sum(), seconds, usage })
}
