//! Counts a message for the report that its domain wants of DMARC: what was found, and what was done. Judges and sends nothing.
use super::state::Session;
use crate::verify::Seen;
use posthouse_engine::mailflow::{Copy, Dmarc, Facts, Policy, Verdict};
use posthouse_engine::trace::{DmarcAction, DmarcRecord, DmarcRow, DmarcWord};

/// What was done for the domain's policy, and whether that is less than it asked for.
fn done(facts: Facts, obeys: bool, verdicts: &[Verdict]) -> (DmarcAction, bool) {
    let is_aside = |one: &Verdict| one.refusal.is_some() || one.copies.contains(&Copy::Junk);
    match facts.dmarc {
        Dmarc::Pass => (DmarcAction::Pass, false),
        Dmarc::Fail(Policy::None) => (DmarcAction::None, false),
        Dmarc::Fail(_) if !obeys => (DmarcAction::None, true),
        Dmarc::Fail(Policy::Reject) => (DmarcAction::Reject, false),
        Dmarc::Fail(Policy::Quarantine) if verdicts.iter().any(is_aside) => (DmarcAction::Quarantine, false),
        // It goes to other hosts only, or where scripts file it.
        Dmarc::Fail(Policy::Quarantine) => (DmarcAction::None, true),
        Dmarc::Unchecked | Dmarc::None | Dmarc::TempError | Dmarc::PermError => (DmarcAction::None, false),
    }
}

impl Session {
    /// RFC 9990 section 2.1: all that came counts, whatever else refuses it; not what is to come again.
    pub(super) fn count_dmarc(&self, seen: Option<Box<Seen>>, facts: Facts, verdicts: &[Verdict]) {
        let Some(seen) = seen else { return };
        let obeys = self.shared.verifier.as_ref().is_some_and(|verifier| verifier.obeys_dmarc());
        let (action, overridden) = done(facts, obeys, verdicts);
        let Seen { domain, policy, row } = *seen;
        let row = Box::new(DmarcRow { action, overridden, ..row });
        let when_ms = self.shared.clock.now_ms();
        self.shared.engine.note_dmarc(&DmarcRecord { when_ms, domain, word: DmarcWord::Came(policy, row) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_done_is_told_as_less_than_asked() {
        let done = |dmarc, obeys| done(Facts { dmarc, ..Facts::default() }, obeys, &[]);
        for asked in [Policy::Quarantine, Policy::Reject] {
            assert_eq!(done(Dmarc::Fail(asked), false), (DmarcAction::None, true));
        }
        assert_eq!(done(Dmarc::Fail(Policy::Reject), true), (DmarcAction::Reject, false));
        assert_eq!(done(Dmarc::Fail(Policy::Quarantine), true), (DmarcAction::None, true));
        for (dmarc, action) in [(Dmarc::Pass, DmarcAction::Pass), (Dmarc::TempError, DmarcAction::None)] {
            assert_eq!(done(dmarc, true), (action, false));
        }
        assert_eq!(done(Dmarc::Fail(Policy::None), false), (DmarcAction::None, false));
    }
}
