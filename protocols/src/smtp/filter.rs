//! Asks the content filter about a message that has come whole, before anything is judged. Judges nothing itself.
use super::role::Role;
use super::state::{Session, Transaction};
use crate::runtime::now;
use crate::verify::milter::Outcome;
use crate::verify::rspamd::{self, Action, Question};
use posthouse_engine::mailflow::Advice;

/// What it has said.
#[derive(Debug)]
pub(super) struct Filtered {
    action: Action,
    /// For logs; empty when it was not asked.
    pub(super) note: String,
    /// A milter puts it aside.
    pub(super) quarantined: bool,
}

impl Filtered {
    fn new(action: Action, note: impl Into<String>) -> Filtered {
        Filtered { action, note: note.into(), quarantined: false }
    }

    pub(super) fn advice(&self) -> Advice<'_> {
        match &self.action {
            _ if self.quarantined => Advice::Quarantine,
            // What is thrown away is judged by nobody.
            Action::Nothing | Action::Discard => Advice::None,
            Action::Junk => Advice::Junk,
            Action::Later(words) => Advice::Later(words),
            Action::Reject(words) => Advice::Refuse(words),
        }
    }

    /// The message is taken and kept by nobody.
    pub(super) fn discards(&self) -> bool {
        self.action == Action::Discard
    }
}

impl Session {
    /// Mail from other hosts only: members are asked for a password instead.
    /// What milters have said before goes on.
    pub(super) async fn ask_filter(
        &self,
        transaction: &Transaction,
        shown: Outcome,
        message: &[u8],
        id: &str,
    ) -> Filtered {
        if shown.discards {
            return Filtered::new(Action::Discard, shown.note);
        }
        let mut filtered = self.ask_rspamd(transaction, message, id).await;
        filtered.quarantined = shown.quarantines;
        let between = if filtered.note.is_empty() || shown.note.is_empty() { "" } else { " " };
        filtered.note = format!("{}{between}{}", shown.note, filtered.note);
        filtered
    }

    async fn ask_rspamd(&self, transaction: &Transaction, message: &[u8], id: &str) -> Filtered {
        let Some(settings) = self.shared.rspamd.as_ref().filter(|_| self.role == Role::Mx) else {
            return Filtered::new(Action::Nothing, "");
        };
        if message.len() as u64 > settings.size_bytes_max {
            return Filtered::new(Action::Nothing, "rspamd=not asked (too big)");
        }
        let rcpts: Vec<&str> = transaction.recipients.iter().map(|rcpt| rcpt.given.as_str()).collect();
        let question = Question {
            ip: self.stream.peer().ip(),
            helo: self.hello.as_ref().map_or("", |hello| &hello.name),
            from: &transaction.sender,
            rcpts: &rcpts,
            id,
            hostname: &self.shared.hostname,
        };
        let left = transaction.filters_until.map_or(settings.timeout, |until| until.saturating_duration_since(now()));
        match rspamd::ask(settings, &question, message, left.min(settings.timeout)).await {
            Ok(said) => Filtered::new(said.action, said.note),
            Err(error) => {
                tracing::warn!(id, %error, address = %settings.address, defers = settings.defers_when_down, "rspamd gives no answer");
                let later = || Action::Later("The content filter gives no answer; try again later".into());
                let action = if settings.defers_when_down { later() } else { Action::Nothing };
                Filtered::new(action, "rspamd=no answer")
            }
        }
    }
}
