//! Ctrl-C and SIGTERM.

use anyhow::Result;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears when this process is asked to stop.
pub(super) struct Stop {
    signals: [Signal; 3],
}

impl Stop {
    /// From here on, the signals do not kill.
    pub(super) fn listen() -> Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(signal);
        Ok(Self { signals: [interrupt?, terminate?, hangup?] })
    }

    pub(super) async fn wait(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
