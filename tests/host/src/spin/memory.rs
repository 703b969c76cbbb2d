//! How much linear memory instances take. Nothing is limited here, as Spin limits nothing when not told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::ResourceLimiter;

/// The most linear memory that any one instance of a component has had, bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Peak(Arc<AtomicUsize>);

impl Peak {
    /// The most so far.
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Watches the linear memories of one instance; they only ever grow.
#[derive(Debug)]
pub(super) struct MemoryMeter {
    bytes: usize,
    /// The growth that was granted last, which may yet fail.
    last_growth: usize,
    peak: Peak,
}

impl MemoryMeter {
    /// The meter of a new instance.
    pub(super) fn new(peak: Peak) -> Self {
        Self { bytes: 0, last_growth: 0, peak }
    }
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Beyond its maximum a memory does not grow, whatever is answered here.
        if maximum.is_none_or(|maximum| desired <= maximum) {
            self.last_growth = desired.saturating_sub(current);
            self.bytes += self.last_growth;
            self.peak.0.fetch_max(self.bytes, Ordering::Relaxed);
        } else {
            self.last_growth = 0;
        }
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.bytes -= std::mem::take(&mut self.last_growth);
        Ok(())
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_instance_counts() {
        let peak = Peak::default();
        let (mut small, mut large) = (MemoryMeter::new(peak.clone()), MemoryMeter::new(peak.clone()));
        // An instance may have several memories.
        large.memory_growing(0, 1_000, None).unwrap();
        large.memory_growing(0, 500, None).unwrap();
        large.memory_growing(1_000, 1_200, Some(2_000)).unwrap();
        small.memory_growing(0, 900, None).unwrap();
        assert_eq!(peak.bytes(), 1_700);
    }

    #[test]
    fn what_could_not_grow_is_not_counted() {
        let peak = Peak::default();
        let mut meter = MemoryMeter::new(peak.clone());
        meter.memory_growing(0, 1_000, None).unwrap();
        meter.memory_growing(1_000, 5_000, Some(4_000)).unwrap();
        meter.memory_grow_failed(wasmtime::Error::msg("too much")).unwrap();
        assert_eq!(peak.bytes(), 1_000);
        meter.memory_growing(1_000, 3_000, None).unwrap();
        meter.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        meter.memory_growing(1_000, 2_000, None).unwrap();
        assert_eq!(meter.bytes, 2_000);
    }
}
