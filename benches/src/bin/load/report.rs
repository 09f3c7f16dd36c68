//! What a run found, as one JSON line. Never prints while the clock runs.

use serde_json::{Value, json};
use std::time::Duration;

/// At most this many problems are quoted; the rest is only counted.
const QUOTED_MAX: usize = 5;

/// The sum of all threads of a run.
#[derive(Default)]
pub struct Report {
    /// Operations that ended with the right answer.
    pub ops: u64,
    /// Message or answer bytes that those operations carried.
    pub bytes: u64,
    /// Wall time of the measured part.
    pub wall: Duration,
    /// The generator's own CPU time in the measured part.
    pub own_cpu: Duration,
    /// One entry per operation.
    pub latencies: Vec<Duration>,
    /// What went wrong.
    pub errors: Vec<String>,
    /// More figures of this kind of run.
    pub extra: Vec<(&'static str, Value)>,
}

impl Report {
    /// Takes over what another thread found.
    pub fn merge(&mut self, other: Self) {
        self.ops += other.ops;
        self.bytes += other.bytes;
        self.latencies.extend(other.latencies);
        self.errors.extend(other.errors);
        self.extra.extend(other.extra);
    }

    /// True when no answer was wrong and something was done.
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty() && self.ops > 0
    }

    fn percentile_us(sorted: &[Duration], percent: usize) -> u64 {
        let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(index).map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
    }

    /// The JSON line: times in microseconds, rate in operations per second.
    pub fn line(&self) -> String {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let seconds = self.wall.as_secs_f64();
        let mut out = json!({
            "ops": self.ops,
            "bytes": self.bytes,
            "seconds": seconds,
            "ops_per_second": self.ops as f64 / seconds.max(1e-9),
            "p50_us": Self::percentile_us(&sorted, 50),
            "p99_us": Self::percentile_us(&sorted, 99),
            "own_cpu_us_per_op": self.own_cpu.as_micros() as f64 / (self.ops.max(1)) as f64,
            "errors": self.errors.len(),
            "first_errors": self.errors.iter().take(QUOTED_MAX).collect::<Vec<_>>(),
        });
        for (name, value) in &self.extra {
            out[*name] = value.clone();
        }
        out.to_string()
    }
}
