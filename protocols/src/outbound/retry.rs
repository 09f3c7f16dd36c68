//! When a recipient is tried again, and when it is given up: by the schedule, and by the time that its sender has set (RFC 2852). Knows nothing
//! else.
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

/// When an item is given up, whatever happens: at the end of its time in the queue, or when it is to go back.
pub(super) fn end(settings: &Settings, item: &QueueItem) -> i64 {
    let end = item.begins().saturating_add(i64::from(settings.lifetime_seconds));
    match item.item.terms.deliver_by {
        Some(by) if by.returns => end.min(by.at),
        _ => end,
    }
}

/// After an attempt at `now` for a recipient that has had `attempts` before it: waits double from the first to the longest; the last attempt
/// is at `end`.
pub(super) fn next(settings: &Settings, end: i64, attempts: u32, now: i64) -> Next {
    if now >= end {
        return Next::Never;
    }
    let doubled = i64::from(settings.retry_first_seconds.max(1)) << attempts.min(24);
    let wait = doubled.min(settings.wait_max());
    Next::At(now.saturating_add(wait).min(end))
}

/// When the time that is set for a recipient comes. One that is further off than the longest wait was set by a clock that has been set back since, and has
/// come; but for what its sender has asked to be held (RFC 4865).
pub(super) fn comes(item: &QueueItem, next_try: i64, now: i64, wait_max: i64) -> i64 {
    if next_try <= now.saturating_add(wait_max) { next_try } else { next_try.min(item.item.terms.hold_until) }
}

/// `at`, or before it the time that the sender has set, when something is to happen.
pub(super) fn not_beyond(item: &QueueItem, now: i64, at: i64) -> i64 {
    match item.item.terms.deliver_by {
        Some(by) if by.at > now => at.min(by.at),
        _ => at,
    }
}

/// Whether the time that the sender has set is over and the message is to go back (RFC 2852 section 4.1.3).
pub(super) fn is_over(item: &QueueItem, now: i64) -> bool {
    item.item.terms.deliver_by.is_some_and(|by| by.returns && now >= by.at)
}

/// Whether that time is over.
pub(super) fn is_overdue(item: &QueueItem, now: i64) -> bool {
    item.item.terms.deliver_by.is_some_and(|by| now >= by.at)
}

/// Whether that time is over and its sender has not heard of it: no rest of the destination counts then.
pub(super) fn is_pressing(item: &QueueItem, now: i64) -> bool {
    is_overdue(item, now) && item.waiting().any(|(_, _, progress)| !progress.warned)
}

/// Whether the sender is to be told now that this recipient is delayed.
pub(super) fn is_late(settings: &Settings, item: &QueueItem, progress: &Progress, now: i64) -> bool {
    let after = i64::from(settings.delay_warning_seconds);
    !progress.warned && (is_overdue(item, now) || (after > 0 && now - item.begins() >= after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_end_with_the_lifetime() {
        let settings = Settings::default();
        let (mut now, mut attempts, mut waits) = (1000, 0, Vec::new());
        while let Next::At(at) = next(&settings, 1000 + 432_000, attempts, now) {
            assert!(at > now);
            waits.push(at - now);
            (now, attempts) = (at, attempts + 1);
        }
        assert_eq!(waits[..6], [300, 600, 1200, 2400, 4000, 4000]);
        assert_eq!(now, 1000 + 432_000, "the last attempt is at the end of the lifetime");
        assert_eq!(next(&settings, 432_000, u32::MAX, 432_000), Next::Never);
    }
}
