//! What is known of a message, and what is said about it. No behaviour but a few questions.
use super::sieve::{Field, Filing};
use super::{Advice, Answering, Forward, Listed, scripts};
use crate::base::AccountId;
use crate::directory::{Account, Address, Directory, Recipient};

/// Who brings a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Another host; what it says of the sender is not proven.
    Outside,
    /// A member who has logged in.
    Member(AccountId),
    /// A mail server in front of this one, which has judged the sender.
    Front,
}

/// How a check of the sender ended (RFC 8601 section 2.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It was not made.
    #[default]
    Unchecked,
    /// There was nothing to check.
    None,
    /// The sender is proven.
    Pass,
    /// It is proven that it is not.
    Fail,
    /// The domain says that it is probably not, or does not say.
    Weak,
    /// It may be otherwise later.
    TempError,
    /// What was published or sent cannot be understood.
    PermError,
}

/// What a domain asks to be done with mail that fails DMARC (RFC 7489 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Nothing.
    None,
    /// It is suspicious.
    Quarantine,
    /// It is to be refused.
    Reject,
}

/// How DMARC ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dmarc {
    /// It was not checked.
    #[default]
    Unchecked,
    /// The domain of From publishes nothing.
    None,
    /// SPF or DKIM has proven the domain of From.
    Pass,
    /// Neither has.
    Fail(Policy),
    /// It may be otherwise later.
    TempError,
    /// What was published cannot be understood.
    PermError,
}

/// What was found out about a message's sender, before anything is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// RFC 7208, of MAIL FROM, or of HELO for the null sender.
    pub spf: Outcome,
    /// RFC 6376, the best of all signatures.
    pub dkim: Outcome,
    /// RFC 8617.
    pub arc: Outcome,
    /// RFC 7489.
    pub dmarc: Dmarc,
}

impl Facts {
    /// Nobody has found the reverse-path to be forged.
    pub fn believes_path(&self) -> bool {
        self.spf != Outcome::Fail && !matches!(self.dmarc, Dmarc::Fail(_))
    }

    /// The same of From, which a signature may prove where the host that brings it is none of the domain's.
    pub(super) fn believes_from(&self) -> bool {
        self.dmarc == Dmarc::Pass || self.believes_path()
    }
}

/// What all stages may look at.
pub struct Case<'a> {
    /// Who is who, and the rules.
    pub directory: &'a Directory,
    /// Who brings it.
    pub origin: Origin,
    /// The reverse-path; `None` is `<>`.
    pub sender: Option<&'a Address>,
    /// Seconds since 1970-01-01 UTC.
    pub now: i64,
    /// What DNS blocklists say of the host that brings it, if any was asked.
    pub listed: Option<Listed<'a>>,
}

impl Case<'_> {
    /// The account that sends, where that is proven.
    pub(super) fn member(&self) -> Option<&Account> {
        match self.origin {
            Origin::Member(id) => self.directory.account(id),
            Origin::Front => self.sender.and_then(|sender| self.directory.account_at(sender)),
            Origin::Outside => None,
        }
    }
}

/// Whether an account has a mailbox of that name.
pub type HasMailbox<'a> = dyn Fn(AccountId, &str) -> bool + 'a;

/// What the message itself says.
#[derive(Clone, Copy, Default)]
pub struct Letter<'a> {
    /// The addresses of From.
    pub from: &'a [Address],
    /// The subject, decoded.
    pub subject: &'a str,
    /// What was found out about its sender.
    pub facts: Facts,
    /// The addresses of To and Cc.
    pub to: &'a [Address],
    /// The addresses of ours that are known to have sent it on before.
    pub passed: &'a [Address],
    /// A program has sent it, or a list: nobody waits for an answer.
    pub automatic: bool,
    /// Its header, for scripts.
    pub fields: &'a [Field],
    /// Bytes.
    pub size_bytes: u64,
    /// Whether an account has a mailbox of that name.
    pub has_mailbox: Option<&'a HasMailbox<'a>>,
    /// What a content filter has said.
    pub advice: Advice<'a>,
    /// Whether the operator wishes that DMARC's policies are obeyed.
    pub obeys_dmarc: bool,
}

/// One recipient and what its address means.
pub struct Wanted<'a> {
    /// As it was asked for.
    pub address: &'a Address,
    /// Accounts on this system.
    pub local: &'a [Recipient],
    /// Addresses on other hosts.
    pub external: &'a [Address],
}

/// Why a message is refused for a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which policy.
    pub stage: &'static str,
    /// RFC 5321: 550, or 450 when it may be otherwise later.
    pub code: u16,
    /// RFC 3463.
    pub status: &'static str,
    /// What is wrong, and the way out.
    pub text: String,
}

/// Where an account's copy goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// INBOX.
    Inbox,
    /// The mailbox for junk.
    Junk,
    /// The folder of mail for unknown addresses (F8).
    Transfer,
    /// There is none: this account does not want it.
    Nowhere,
    /// There is none: this account has it sent on.
    Forwarded,
    /// There is none: a script of the account has thrown it away.
    Discarded,
    /// One or more, where a script says: see `Verdict::filed`.
    Filed,
    /// There is none yet: the queue holds the message for the account.
    Held,
}

impl Copy {
    /// Whether there is no copy.
    pub fn is_none(self) -> bool {
        matches!(self, Copy::Nowhere | Copy::Forwarded | Copy::Discarded | Copy::Held)
    }
}

/// What is to happen for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Nothing of it is delivered.
    pub refusal: Option<Refusal>,
    /// One for each of `Wanted::local`, in their order.
    pub copies: Vec<Copy>,
    /// For each of them what a script has filed, if the copy is `Filed`.
    pub filed: Vec<Vec<Filing>>,
    /// Who elsewhere gets it, of `Wanted::external`, and groups of ours among them.
    pub external: Vec<Address>,
    /// What speaks against it, the first that did, whether or not somebody has allowed its sender.
    pub(super) suspect: Option<&'static str>,
    /// Copies for other addresses.
    pub forwards: Vec<Forward>,
    /// Answers for owners who are away: the sender gets them, unless it did before.
    pub answers: Vec<Answering>,
    /// The words of the refusal may go by mail where no reply can carry them (RFC 5429 section 2.1).
    pub refused_by_mail: bool,
    /// Which of those skip the filters.
    pub(super) allowed: Vec<bool>,
}

impl Verdict {
    /// Whether the sender is to hear by mail of a refusal that its client cannot be told: a script of the recipient has refused what the system
    /// itself would have taken (RFC 5429 section 2.1.2). Other policies refuse mail whose sender may be forged, and a report would go to somebody
    /// who has sent nothing; so would one to a sender whom SPF or DMARC calls false.
    pub fn asks_for_report(&self, facts: Facts) -> bool {
        let by_script = self.refusal.as_ref().is_some_and(|refusal| refusal.stage == scripts::STAGE);
        by_script && facts.believes_path()
    }

    /// The stage that was the first to suspect it; empty: none has.
    pub fn suspected_by(&self) -> &'static str {
        self.suspect.unwrap_or_default()
    }

    pub(super) fn suspect(&mut self, stage: &'static str) {
        self.suspect.get_or_insert(stage);
    }

    pub(super) fn refuse(&mut self, stage: &'static str, status: &'static str, text: String) {
        self.refusal.get_or_insert(Refusal { stage, code: 550, status, text });
    }
}
