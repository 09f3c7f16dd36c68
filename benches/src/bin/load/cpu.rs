//! How much CPU time this process has used, so that a reader can see that the generator was not
//! the bottleneck. Never looks at another process.

use std::time::Duration;

/// Linux reports clock ticks of this many per second to user space on every architecture.
const TICKS_PER_SECOND: u64 = 100;

/// User plus system time of this process so far; zero if `/proc` cannot be read.
pub fn own() -> Duration {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return Duration::ZERO;
    };
    // The command name may hold spaces; fields are counted after its closing bracket.
    let Some((_, fields)) = stat.rsplit_once(')') else {
        return Duration::ZERO;
    };
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}
