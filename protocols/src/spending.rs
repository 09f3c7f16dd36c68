//! What a message costs of the rates of those who send it or send it on, from its judgement until it is known what became of it. Judges nothing.
use posthouse_engine::Engine;
use posthouse_engine::base::AccountId;
use posthouse_engine::mailflow::{Kept, Onward, Spent};
use posthouse_engine::trace::{MailRecord, Step};
use std::sync::Arc;

/// A recipient that a rate allows. Dropped before the message is taken for it, it counts no longer.
pub(crate) struct Reserved {
    engine: Arc<Engine>,
    spent: Option<Spent>,
}

impl Reserved {
    pub(crate) fn new(engine: &Arc<Engine>, spent: Spent) -> Reserved {
        Reserved { engine: engine.clone(), spent: Some(spent) }
    }

    /// The message was taken for it.
    pub(crate) fn keep(&mut self) {
        self.spent = None;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(spent) = self.spent.take() {
            self.engine.rates().give_back(&spent);
        }
    }
}

/// What members' rules send outside for a message: it counts once it is on its way.
#[derive(Default)]
pub(crate) struct Charged {
    forwards: Vec<Reserved>,
    answers: Vec<(AccountId, Reserved)>,
    kept: Vec<Kept>,
}

impl Charged {
    /// With what one recipient's verdict costs.
    pub(crate) fn add(&mut self, engine: &Arc<Engine>, Onward { forwards, answers, kept }: Onward) {
        self.forwards.extend(forwards.into_iter().map(|spent| Reserved::new(engine, spent)));
        self.answers.extend(answers.into_iter().map(|(account, spent)| (account, Reserved::new(engine, spent))));
        self.kept.extend(kept);
    }

    /// The forwards are queued.
    pub(crate) fn keep_forwards(&mut self) {
        self.forwards.iter_mut().for_each(Reserved::keep);
    }

    /// The account has answered.
    pub(crate) fn keep_answer(&mut self, account: AccountId) {
        self.answers.iter_mut().filter(|(by, _)| *by == account).for_each(|(_, reserved)| reserved.keep());
    }

    /// Steps of the mail log for what a rate keeps here; `step` is one of the message.
    pub(crate) fn note_kept(&self, engine: &Engine, step: &MailRecord) {
        for Kept { by, to, is_answer } in &self.kept {
            let text = match is_answer {
                true => format!("no answer for {by}: above the rate"),
                false => format!("not sent on for {by}: above the rate; the message stays in its mailbox"),
            };
            tracing::info!(%by, %to, is_answer, "above the rate; it is not sent");
            let (recipient, policy) = (to.to_string(), "rate".to_owned());
            engine.note_mail(&MailRecord { step: Step::Dropped, recipient, policy, text, ..step.clone() });
        }
    }
}
