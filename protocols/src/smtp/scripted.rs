//! What a member's script has said of places and flags, in the store's words. Runs no script.
use super::deliver::Committed;
use super::state::{Rcpt, Session};
use posthouse_engine::Store;
use posthouse_engine::base::Flags;
use posthouse_engine::delivery::Place;
use posthouse_engine::index::{FlagMode, UidSet};
use posthouse_engine::mailflow::Verdict;
use posthouse_engine::mailflow::sieve::Filing;

const SYSTEM: [(&str, Flags); 5] = [
    ("\\Seen", Flags::SEEN),
    ("\\Answered", Flags::ANSWERED),
    ("\\Flagged", Flags::FLAGGED),
    ("\\Deleted", Flags::DELETED),
    ("\\Draft", Flags::DRAFT),
];

fn system(flag: &str) -> Option<Flags> {
    SYSTEM.iter().find(|(name, _)| name.eq_ignore_ascii_case(flag)).map(|(_, flag)| *flag)
}

/// Where a copy goes, and its system flags. A mailbox is made where the script asks for it; the mail flow has seen that another is there, or it is made
/// all the same: a folder that was removed a moment ago loses no mail.
pub(super) fn place(filing: &Filing) -> (Place, Flags) {
    let place = filing.mailbox.clone().map_or(Place::Inbox, Place::Named);
    let flags = filing.flags.iter().filter_map(|flag| system(flag)).fold(Flags::NONE, Flags::union);
    (place, flags)
}

/// Keywords that a script gives a copy; what cannot be one is left out.
fn keywords(filing: &Filing) -> Vec<String> {
    let fits = |flag: &&String| {
        let odd = |c: char| !c.is_ascii_graphic() || "(){%*\"\\]".contains(c);
        !flag.starts_with('\\')
            && !flag.is_empty()
            && flag.len() <= posthouse_engine::base::limits::KEYWORD_BYTES_MAX
            && !flag.contains(odd)
    };
    filing.flags.iter().filter(fits).cloned().collect()
}

impl Session {
    /// Puts keywords on the copies that scripts have filed: few have any. A failure leaves the copy without them.
    pub(super) async fn set_keywords(&self, verdicts: &[Verdict], recipients: &[Rcpt], committed: &Committed) {
        for (rcpt, verdict) in recipients.iter().zip(verdicts).filter(|(_, verdict)| verdict.refusal.is_none()) {
            for (recipient, filed) in rcpt.local.iter().zip(&verdict.filed) {
                for (filing, copy) in filed.iter().zip(committed.copies_of(recipient.account)) {
                    let (keywords, Ok(copy)) = (keywords(filing), copy) else { continue };
                    if keywords.is_empty() {
                        continue;
                    }
                    let uids = UidSet::range(copy.uid, copy.uid);
                    let (mode, flags) = (FlagMode::Add, Flags::NONE);
                    let store = Store { uids, mode, flags, keywords, unchanged_since: None };
                    if let Err(error) = self.shared.engine.store(recipient.account, copy.mailbox, store).await {
                        tracing::warn!(account = %recipient.address, %error, "a script's keywords were not set");
                    }
                }
            }
        }
    }
}
