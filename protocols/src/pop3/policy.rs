//! What an operator, or by a rule a tenant, decides about POP3 (RFC 1939 section 8): what becomes of messages that a client has fetched; and
//! who gets a header in UTF-8.
//! Carried out when a session ends in good order; a session that breaks off changes nothing.
use super::maildrop::Maildrop;
use super::state::Session;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::{AccountId, Error, MailboxId};
use posthouse_engine::directory::Fetched;
use posthouse_engine::index::{FlagMode, Flags, Keywords, SpecialUse, UidSet};
use posthouse_engine::{Engine, Store};
use std::collections::BTreeSet;

const DAY_SECONDS: i64 = 86_400;

/// An operator's decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What becomes of messages that RETR has fetched.
    pub fetched: Fetched,
    /// Whether RETR and TOP refuse a message whose header is in UTF-8 to a client that has not said UTF8 (RFC 6856 section 2).
    pub refuses_utf8: bool,
}

impl Policy {
    /// The same for an account whose tenant may have decided otherwise.
    pub(super) fn of(self, engine: &Engine, account: AccountId) -> Policy {
        let fetched = engine.directory(|directory| directory.fetched(account));
        Policy { fetched: fetched.unwrap_or(self.fetched), ..self }
    }

    /// EXPIRE (RFC 2449 section 6.7) before it is known whose maildrop it is: the least of all, and whether it differs.
    pub(super) fn expire(self, engine: &Engine) -> String {
        let own = self.fetched;
        let days = engine.directory(|directory| {
            let all = directory.all_fetched().map(|fetched| fetched.unwrap_or(own).kept_days());
            all.chain([own.kept_days()]).map(|days| days.unwrap_or(u32::MAX)).collect::<BTreeSet<u32>>()
        });
        let least = days.first().copied().filter(|days| *days < u32::MAX);
        format!("{}{}", expire(least), if days.len() > 1 { " USER" } else { "" })
    }
}

/// The capability's text.
pub(super) fn expire(kept_days: Option<u32>) -> String {
    kept_days.map_or("EXPIRE NEVER".to_owned(), |days| format!("EXPIRE {days}"))
}

impl Session {
    /// Carries the policy out for what this session has fetched, and for what earlier ones have and whose time has come.
    pub(super) async fn carry_out(&self, maildrop: &Maildrop) -> Result<(), Error> {
        let (account, fetched) = (maildrop.account(), maildrop.fetched_uids()?);
        match self.policy.fetched {
            Fetched::Keep => Ok(()),
            Fetched::Seen => self.flag(account, fetched, Flags::SEEN, Vec::new()).await,
            Fetched::Trash { after_days } => {
                let due = self.due(account, fetched, after_days).await?;
                if due.is_empty() {
                    return Ok(());
                }
                let trash = self.trash(account).await?;
                for some in due.pieces(limits::COMMIT_COPIES_MAX as u32) {
                    self.shared.engine.move_entries(account, MailboxId::INBOX, some, trash).await?;
                }
                Ok(())
            }
            Fetched::Delete { after_days } => {
                let due = self.due(account, fetched, after_days).await?;
                self.remove(account, due).await
            }
        }
    }

    /// The mailbox for what is thrown away; one is made where the member has removed it.
    async fn trash(&self, account: AccountId) -> Result<MailboxId, Error> {
        let engine = &self.shared.engine;
        let found = engine.account(account)?.mailbox_for(SpecialUse::Trash).map(|trash| trash.id);
        match found {
            Some(trash) => Ok(trash),
            None => engine.create_mailbox(account, "Trash", Some(SpecialUse::Trash)).await,
        }
    }

    /// What is to go now. What is to go later is marked.
    async fn due(&self, account: AccountId, fetched: UidSet, after_days: u32) -> Result<UidSet, Error> {
        if after_days == 0 {
            return Ok(fetched);
        }
        self.flag(account, fetched, Flags::NONE, vec![Keywords::POP3_FETCHED.to_owned()]).await?;
        let view = self.shared.engine.mailbox(account, MailboxId::INBOX)?;
        let mut due = UidSet::new();
        let Some(bit) = view.keyword_bit(Keywords::POP3_FETCHED) else { return Ok(due) };
        let came_before = self.shared.clock.now() - i64::from(after_days) * DAY_SECONDS;
        for (count, entry) in view.entries.range(0..view.entries.len()).enumerate() {
            let entry = entry?;
            if count % limits::POP3_BATCH_MESSAGES == limits::POP3_BATCH_MESSAGES - 1 {
                yield_now().await;
            }
            if entry.keywords.0 & bit != 0 && i64::from(entry.save_date) <= came_before {
                due.push(entry.uid);
            }
        }
        Ok(due)
    }

    async fn flag(&self, account: AccountId, uids: UidSet, flags: Flags, keywords: Vec<String>) -> Result<(), Error> {
        for uids in pieces(&uids) {
            let store = Store { uids, mode: FlagMode::Add, flags, keywords: keywords.clone(), unchanged_since: None };
            self.shared.engine.store(account, MailboxId::INBOX, store).await?;
        }
        Ok(())
    }

    /// Removes messages of INBOX; some may be gone already, by IMAP. After an error some may be gone and some there (RFC 1939 section 6).
    pub(super) async fn remove(&self, account: AccountId, uids: UidSet) -> Result<(), Error> {
        for some in pieces(&uids) {
            self.shared.engine.remove(account, MailboxId::INBOX, some).await?;
        }
        Ok(())
    }
}

/// What is changed in one transaction each: very many messages in several, so that others wait for none of them long.
fn pieces(uids: &UidSet) -> Vec<UidSet> {
    uids.pieces(limits::COMMIT_MESSAGES_MAX as u32)
}
