//! What is known of a report that a copy failed.
use super::member::{HELLO, queued, send, traced};
use crate::session::Shared;
use crate::testing;
use posthouse_engine::disk::sim::{Fault, SimDisk};
use posthouse_engine::trace::Step;
use std::sync::Arc;

pub(super) const BOTH: [&str; 2] = ["bob@example.org", "ann@example.org"];

/// A message of so many bytes and some more; bob may hold 10 kB.
pub(super) fn big(bytes: usize) -> String {
    format!("{HELLO}{}", "\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".repeat(bytes / 32))
}

/// To whom the reports in the queue go.
pub(super) fn reported(shared: &Shared) -> Vec<String> {
    queued(shared).into_iter().filter(|(sender, _)| sender.is_empty()).map(|(_, to)| to).collect()
}

/// The disk fails at one operation after the other, that of the report among them.
#[test]
fn a_report_that_was_not_made_is_not_called_reported() {
    for fault in [Fault::NoSpace, Fault::Io] {
        let mut lost = 0;
        for skip in 0..8 {
            let disk = SimDisk::new(1);
            let shared = Arc::new(testing::shared_on(disk.clone()));
            assert!(send(&shared, "s@s.test", &BOTH, HELLO).starts_with("250"));
            let fails = disk.ops() + skip;
            disk.fail_at(fails, fault);
            let reply = send(&shared, "s@s.test", &BOTH, &big(11_000));
            // What has not come yet would strike the look into the log.
            if !reply.starts_with("250") || disk.ops() <= fails {
                continue;
            }
            let way = traced(&shared, Vec::new());
            let of =
                |step: Step| way.iter().filter(move |record| record.step == step && record.recipient == "s@s.test");
            assert!(of(Step::Reported).all(|record| record.queue != 0), "{fault:?} {skip}: {way:#?}");
            if reported(&shared).is_empty() {
                lost += 1;
                let failed: Vec<_> = of(Step::Failed).collect();
                assert!(failed.len() == 1 && failed[0].text.starts_with("no report: "), "{fault:?} {skip}: {way:#?}");
                // What may pass is tried again, but not by a store whose sync has failed.
                assert!(fault == Fault::Io || failed[0].text.contains("has closed itself"), "{skip}: {way:#?}");
            }
        }
        assert!(lost > 0, "{fault:?}");
    }
}
