//! Where random tests begin. Never draws anything itself.

/// The first seed: 1, so that a failure says something of what was changed; with `POSTHOUSE_RANDOM` set another one each time, to look for more.
pub fn first() -> u64 {
    if std::env::var_os("POSTHOUSE_RANDOM").is_none_or(|value| value.is_empty()) {
        return 1;
    }
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(1, |since| since.as_nanos() as u64)
}
