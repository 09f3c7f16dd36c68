//! The figures in Prometheus' text format (version 0.0.4). Counters count since the start of the process.
use crate::Facts;
use posthouse_engine::{MailWatch, ShardStatus, Status};
use std::fmt::Write;

/// One figure of a shard: its name, kind, help and value.
type ShardFigure = (&'static str, &'static str, &'static str, fn(&ShardStatus) -> u64);

const SHARD_FIGURES: [ShardFigure; 8] = [
    ("posthouse_shard_latched", "gauge", "1 when the shard has closed itself after a failure.", |s| {
        s.latched.is_some().into()
    }),
    ("posthouse_shard_log_bytes", "gauge", "Bytes of log.", |s| s.log_bytes),
    ("posthouse_shard_segments", "gauge", "Segment files.", |s| s.segments),
    ("posthouse_shard_groups_total", "counter", "Group commits.", |s| s.groups),
    ("posthouse_shard_requests_total", "counter", "Requests committed.", |s| s.requests),
    ("posthouse_shard_syncs_total", "counter", "Syncs of the log.", |s| s.syncs),
    ("posthouse_shard_checkpoint_lsn", "gauge", "Log position of the last checkpoint.", |s| s.checkpoint_lsn),
    ("posthouse_shard_queued", "gauge", "Messages in the queue.", |s| s.queue.total()),
];

/// The whole page.
pub(crate) fn text(facts: &Facts, status: &Status, accounts: u64, mail: MailWatch) -> String {
    let mut out = String::new();
    one(&mut out, "posthouse_uptime_seconds", "gauge", "Seconds since the start.", facts.uptime_seconds);
    one(&mut out, "posthouse_connections", "gauge", "Connections open now.", facts.connections);
    one(&mut out, "posthouse_accounts", "gauge", "Accounts of all kinds.", accounts);
    let MailWatch { alarms, overdue, watched, unwatched } = mail;
    one(
        &mut out,
        "posthouse_mail_alarms_total",
        "counter",
        "Messages answered 250 that could not be seen in time.",
        alarms,
    );
    one(
        &mut out,
        "posthouse_mail_overdue",
        "gauge",
        "Messages in the queue that are due for long and were never tried.",
        overdue,
    );
    one(&mut out, "posthouse_mail_watched", "gauge", "Copies answered 250 that are still to be looked at.", watched);
    one(
        &mut out,
        "posthouse_mail_unwatched_total",
        "counter",
        "Copies that were not looked at: too many at a time.",
        unwatched,
    );
    head(&mut out, "posthouse_info", "gauge", "What runs; always 1.");
    let (version, runtime) = (label(&facts.version), label(&facts.runtime));
    let _ = writeln!(out, "posthouse_info{{version=\"{version}\",runtime=\"{runtime}\"}} 1");
    for (name, kind, help, value) in SHARD_FIGURES {
        head(&mut out, name, kind, help);
        for shard in &status.shards {
            let _ = writeln!(out, "{name}{{shard=\"{}\"}} {}", label(&shard.name), value(shard));
        }
    }
    out
}

// Writing to a String cannot fail, so the results are let go.
fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn one(out: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    head(out, name, kind, help);
    let _ = writeln!(out, "{name} {value}");
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_has_a_line_and_labels_are_escaped() {
        let shard = |name: &str, syncs| ShardStatus { name: name.into(), syncs, ..Default::default() };
        let status = Status { shards: vec![shard("0", 7), shard("con\"trol", 9)] };
        let mail = MailWatch { alarms: 2, overdue: 5, ..MailWatch::default() };
        let page = text(&Facts { connections: 3, ..Default::default() }, &status, 12, mail);
        assert!(
            page.contains("\nposthouse_mail_alarms_total 2\n") && page.contains("\nposthouse_mail_overdue 5\n"),
            "{page}"
        );
        assert!(page.contains("\nposthouse_accounts 12\n"), "{page}");
        assert!(page.contains("\nposthouse_connections 3\n"), "{page}");
        assert!(page.contains("\nposthouse_shard_syncs_total{shard=\"0\"} 7\n"), "{page}");
        assert!(page.contains("\nposthouse_shard_syncs_total{shard=\"con\\\"trol\"} 9\n"), "{page}");
        assert_eq!(page.matches("# TYPE posthouse_shard_syncs_total counter").count(), 1);
    }
}
