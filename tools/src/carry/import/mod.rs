//! Import: mail from files into an account. One thread reads the source, this one hands its messages to the store in batches that share a
//! sync; memory is bounded whatever the source holds. What the mailbox has already is passed over, so an import that was cut off is
//! simply run again.
mod eml;
mod feed;
pub(crate) mod fuzz;
mod gather;
mod kind;
mod maildir;
mod mbox;
mod own;
mod special;
mod tree;
mod uidl;

pub(super) use feed::{Feeder, Gone, Item};
pub use kind::{Dates, Kind, Quoting};
pub(super) use special::Names;
pub use uidl::{Ids, parse_format};

use crate::cli::ImportArgs;
use crate::limits;
use crate::ops::bulk::{Annotation, Answer, Ask, Batch, MailboxRow, Scope};
use crate::ops::{self, Failure};
use crate::progress::Progress;
use crate::session::Session;
use feed::{Load, Loaded};
use serde::Serialize;
use std::collections::{HashMap, VecDeque};

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Messages taken in.
    pub imported: u64,
    /// Messages that the account has already.
    pub known: u64,
    /// Messages that were not taken.
    pub bad: u64,
    /// Bytes of all messages that were read.
    pub bytes: u64,
    /// Annotations that are there now.
    pub annotations: u64,
    /// Keywords for which a mailbox had no room.
    pub keywords_left_out: u64,
    /// The first of the messages that were not taken.
    pub refused: Vec<Refused>,
}

/// A message that was not taken.
#[derive(Debug, Serialize)]
pub struct Refused {
    /// Where it is.
    pub what: String,
    /// Why.
    pub why: String,
}

impl Report {
    /// For people.
    pub fn words(&self) -> String {
        let Report { imported, known, bad, keywords_left_out, .. } = self;
        let keywords = match keywords_left_out {
            0 => String::new(),
            n => format!("; {n} keywords did not fit (a mailbox holds 64 different ones)"),
        };
        format!("{imported} messages imported, {known} were there already, {bad} were not taken{keywords}")
    }
}

/// Imports; the failure besides the report: why it stopped before the source's end.
///
/// # Errors
/// The source cannot be read or told what it is, the account does not exist.
pub fn run(session: &mut Session, args: &ImportArgs) -> Result<(Report, Option<Failure>), Failure> {
    let source = kind::find(args)?;
    let mut special = Vec::new();
    if let Some(address) = &args.account {
        let id = account(session, address)?;
        special = mailboxes(session, id)?;
    }
    let how = How {
        account: args.account.clone(),
        names: Names::new(args.mailbox.clone(), args.keep_names, &special),
        dates: args.dates,
        pop3_uidl: args.pop3_uidl.clone(),
        message_bytes_max: args.message_bytes_max,
        size_bytes: source.size_bytes(),
    };
    bring(session, how, move |feeder| source.read(feeder))
}

/// How messages are brought.
pub(super) struct How {
    /// Whose they shall be, where the source does not say.
    pub(super) account: Option<String>,
    /// Where its folders go.
    pub(super) names: Names,
    /// Where dates come from.
    pub(super) dates: Dates,
    /// Which unique-ids by POP3 are kept.
    pub(super) pop3_uidl: Ids,
    /// Larger messages are passed over.
    pub(super) message_bytes_max: u64,
    /// Bytes of the source, 0 when nobody knows.
    pub(super) size_bytes: u64,
}

/// Brings what `read` gives to a store; `read` has a thread of its own.
pub(super) fn bring(
    session: &mut Session,
    how: How,
    read: impl FnOnce(Feeder) -> Result<(), Failure> + Send,
) -> Result<(Report, Option<Failure>), Failure> {
    let mut accounts = HashMap::new();
    if let Some(address) = &how.account {
        accounts.insert(String::new(), account(session, address)?);
    }
    let room = crate::room::Room::new(limits::IMPORT_AHEAD_BYTES);
    let (sender, receiver) = std::sync::mpsc::sync_channel(2);
    let progress = Progress::new(how.size_bytes);
    let feeder = Feeder::new(sender, room, how);
    let mut import =
        Import { session, accounts, report: Report::default(), progress, asked: VecDeque::new(), stopped: None };
    let read = std::thread::scope(|threads| {
        let reading = threads.spawn(move || read(feeder));
        for load in receiver.iter() {
            import.load(load);
            if import.stopped.is_some() {
                break;
            }
        }
        // The reader's next message finds nobody and ends it.
        drop(receiver);
        reading.join()
    });
    import.settle();
    import.progress.end();
    let Import { report, mut stopped, .. } = import;
    if stopped.is_none() {
        stopped = match read {
            Ok(Err(failure)) => Some(failure),
            Ok(Ok(())) => None,
            Err(_) => Some(Failure::new(ops::Kind::Failed, "the thread that reads the source panicked")),
        };
    }
    Ok((report, stopped))
}

fn account(session: &mut Session, address: &str) -> Result<u64, Failure> {
    let scope = Scope::Account { address: address.to_owned() };
    match session.bulk(Ask::Accounts { scope, after: None }, Vec::new())? {
        (Answer::Accounts { accounts, .. }, _) if accounts.len() == 1 => Ok(accounts[0].id),
        _ => Err(unexpected()),
    }
}

fn mailboxes(session: &mut Session, account: u64) -> Result<Vec<MailboxRow>, Failure> {
    match session.bulk(Ask::Mailboxes { account }, Vec::new())? {
        (Answer::Mailboxes { mailboxes }, _) => Ok(mailboxes),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> Failure {
    Failure::new(ops::Kind::Failed, "the store answered something else than was asked")
}

struct Import<'a> {
    session: &'a mut Session,
    /// Numbers by the address in the source; empty: the account of `--account`.
    accounts: HashMap<String, u64>,
    report: Report,
    progress: Progress,
    /// What was sent and not answered, oldest first.
    asked: VecDeque<Vec<String>>,
    stopped: Option<Failure>,
}

impl Import<'_> {
    fn load(&mut self, load: Load) {
        let done = match load {
            Load::Bad { what, why } => {
                self.refuse(what, why);
                Ok(())
            }
            Load::Make { account, name, special_use, subscribed } => self.make(&account, name, special_use, subscribed),
            Load::Annotate { account, mailbox, annotation } => self.annotate(&account, mailbox, annotation),
            Load::Messages(loaded) => self.send(loaded),
        };
        if let Err(failure) = done {
            self.stopped = Some(failure);
        }
        let Report { imported, known, bad, bytes, .. } = self.report;
        self.progress.at(bytes, || format!("{imported} imported, {known} there already, {bad} not taken"));
    }

    fn id(&mut self, address: &str) -> Result<u64, Failure> {
        if let Some(id) = self.accounts.get(address) {
            return Ok(*id);
        }
        let id = account(self.session, address)?;
        self.accounts.insert(address.to_owned(), id);
        Ok(id)
    }

    fn make(
        &mut self,
        account: &str,
        name: String,
        special_use: Option<String>,
        subscribed: bool,
    ) -> Result<(), Failure> {
        let account = self.id(account)?;
        match self.session.bulk(Ask::Make { account, name: name.clone(), special_use, subscribed }, Vec::new()) {
            Err(failure) if failure.kind == ops::Kind::Refused => {
                self.refuse(format!("mailbox {name:?}"), failure.text);
                Ok(())
            }
            done => done.map(drop),
        }
    }

    fn annotate(&mut self, account: &str, mailbox: Option<String>, annotation: Annotation) -> Result<(), Failure> {
        let account = self.id(account)?;
        let what = format!("annotation {} of {}", annotation.name, mailbox.as_deref().unwrap_or("the account"));
        match self.session.bulk(Ask::Annotate { account, mailbox, annotation }, Vec::new()) {
            Ok(_) => {
                self.report.annotations += 1;
                Ok(())
            }
            // Its name is none, or there are too many: mail is taken all the same.
            Err(failure) if matches!(failure.kind, ops::Kind::Refused | ops::Kind::NotFound) => {
                self.refuse(what, failure.text);
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    fn send(&mut self, loaded: Loaded) -> Result<(), Failure> {
        let Loaded { account, mailbox, messages, names, bytes, held } = loaded;
        let account = self.id(&account)?;
        self.report.bytes += bytes.len() as u64;
        let answer = self.session.bulk(Ask::Ingest { account, mailbox: mailbox.clone(), messages }, bytes);
        drop(held);
        match answer {
            Ok((Answer::Ingested { batches }, _)) => {
                self.asked.push_back(names);
                self.heard(batches)
            }
            Ok(_) => Err(unexpected()),
            // The mailbox's name is none; its messages are not taken, others are.
            Err(failure) if failure.kind == ops::Kind::Refused => {
                let why = failure.text;
                names.into_iter().for_each(|what| self.refuse(what, why.clone()));
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    fn heard(&mut self, batches: Vec<Batch>) -> Result<(), Failure> {
        let mut stop = Ok(());
        for batch in batches {
            let names = self.asked.pop_front().unwrap_or_default();
            self.report.imported += batch.taken;
            self.report.known += batch.known;
            self.report.keywords_left_out += batch.keywords_left_out;
            if let Some(full) = batch.over_quota {
                let way = "raise it (posthouse member set ADDRESS --quota SIZE) and run the same import again: it brings what is missing";
                stop = Err(Failure::new(ops::Kind::Refused, format!("{full}; {way}")));
            }
            for (position, failure) in batch.refused {
                let what = names.get(position as usize).cloned().unwrap_or_default();
                self.refuse(what, failure.text);
            }
            if let Some(failure) = batch.failed {
                stop = Err(failure);
            }
        }
        stop
    }

    fn refuse(&mut self, what: String, why: String) {
        self.progress.tell(&format!("{what}: {why}"));
        self.report.bad += 1;
        if self.report.refused.len() < limits::IMPORT_BAD_KEPT_MAX {
            self.report.refused.push(Refused { what, why });
        }
    }

    /// Hears of everything that was sent, also after a failure.
    fn settle(&mut self) {
        let told = match self.session.bulk(Ask::Settle, Vec::new()) {
            Ok((Answer::Ingested { batches }, _)) => self.heard(batches),
            Ok(_) => Err(unexpected()),
            Err(failure) => Err(failure),
        };
        if let (None, Err(failure)) = (&self.stopped, told) {
            self.stopped = Some(failure);
        }
    }
}
