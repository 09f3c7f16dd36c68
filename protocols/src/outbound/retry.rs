//! When a recipient is tried again, and when it is given up. Knows the schedule and nothing else.
use super::settings::Settings;
use posthouse_engine::queue::{Progress, QueueItem};

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another attempt, seconds since 1970 UTC.
    At(i64),
    /// No more.
    Never,
}

/// After an attempt at `now` for a recipient that has had `attempts` before it: waits double from the first to the longest; the last attempt
/// is at the end of the lifetime.
pub(super) fn next(settings: &Settings, created: i64, attempts: u32, now: i64) -> Next {
    let end = created.saturating_add(i64::from(settings.lifetime_seconds));
    if now >= end {
        return Next::Never;
    }
    let doubled = i64::from(settings.retry_first_seconds.max(1)) << attempts.min(24);
    let wait = doubled.min(i64::from(settings.retry_max_seconds.max(1)));
    Next::At(now.saturating_add(wait).min(end))
}

/// Whether the sender is to be told now that this recipient is delayed.
pub(super) fn is_late(settings: &Settings, item: &QueueItem, progress: &Progress, now: i64) -> bool {
    let after = i64::from(settings.delay_warning_seconds);
    after > 0 && !progress.warned && now - item.created >= after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_end_with_the_lifetime() {
        let settings = Settings::default();
        let (mut now, mut attempts, mut waits) = (1000, 0, Vec::new());
        while let Next::At(at) = next(&settings, 1000, attempts, now) {
            assert!(at > now);
            waits.push(at - now);
            (now, attempts) = (at, attempts + 1);
        }
        assert_eq!(waits[..6], [300, 600, 1200, 2400, 4000, 4000]);
        assert_eq!(now, 1000 + 432_000, "the last attempt is at the end of the lifetime");
        assert_eq!(next(&settings, 0, u32::MAX, 432_000), Next::Never);
    }
}
