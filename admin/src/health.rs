//! Whether the server can do its work, and why not. Never repairs.
use crate::Facts;
use posthouse_engine::Status;

/// Why mail cannot be served as it should; empty = healthy.
pub fn reasons_unhealthy(facts: &Facts, status: &Status) -> Vec<String> {
    let latched = status.shards.iter().filter_map(|shard| {
        let reason = shard.latched.as_ref()?;
        Some(format!("shard {} has closed itself: {reason}; restart to replay its log", shard.name))
    });
    let stopping = facts.stopping.then(|| "the server is stopping".to_owned());
    stopping.into_iter().chain(latched).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use posthouse_engine::ShardStatus;

    #[test]
    fn a_latched_shard_and_a_stop_are_reasons() {
        let shard = |latched: Option<&str>| ShardStatus {
            name: "0".into(),
            latched: latched.map(str::to_owned),
            ..Default::default()
        };
        let mut status = Status { shards: vec![shard(None)] };
        let mut facts = Facts::default();
        assert!(reasons_unhealthy(&facts, &status).is_empty());
        status.shards.push(shard(Some("fdatasync: EIO")));
        facts.stopping = true;
        let reasons = reasons_unhealthy(&facts, &status);
        assert_eq!(reasons.len(), 2);
        assert!(reasons[1].contains("fdatasync: EIO"), "{reasons:?}");
    }
}
