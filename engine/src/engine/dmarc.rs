//! The DMARC log as callers write and read it. Sends no report.
use super::Engine;
use super::ticket::{Ticket, given_up};
use crate::base::{Result, limits};
use crate::trace::{DmarcDay, DmarcRecord};

impl Engine {
    /// Notes a message, or that a report is made; written soon, by a worker.
    pub fn note_dmarc(&self, record: &DmarcRecord) {
        if self.dmarc.note(record) {
            let log = self.dmarc.clone();
            self.workers.run(0, move || {
                if let Err(why) = log.write() {
                    tracing::warn!(%why, "what DMARC reports are made of could not be noted");
                }
            });
        }
    }

    /// The mail of a day (since 1970-01-01 UTC) of domains that still get a report, after that name, by a worker. There may be more: see
    /// `DmarcDay::next`.
    pub fn dmarc_day(&self, day: u32, after: Option<String>) -> Ticket<Result<DmarcDay>> {
        let (ticket, filler) = Ticket::pending(Err(given_up()));
        let log = self.dmarc.clone();
        self.workers.run_slow(move || filler.fill(log.day(day, after.as_deref(), limits::DMARC_ROWS_MAX)));
        ticket
    }

    pub(super) fn end_dmarc_log(&self) {
        if let Err(why) = self.dmarc.write() {
            tracing::warn!(%why, "the last of what DMARC reports are made of could not be noted");
        }
    }
}
