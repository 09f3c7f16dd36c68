//! The mail of one account or one mailbox of a backup, into a folder of an account of a store, served or not. Nothing there is changed or
//! replaced; a second run brings only what is missing.
use super::Found;
use super::layer::Layer;
use super::whole::back;
use crate::carry::import::{self, Dates, Feeder, Gone, How, Ids, Item, Names, Report};
use crate::limits::BULK_PAYLOAD_BYTES_MAX;
use crate::ops::bulk::flag_names;
use crate::ops::{Failure, Kind};
use crate::session::Session;
use posthouse_engine::base::{AccountId, Error, SystemClock};
use posthouse_engine::directory::Address;
use posthouse_engine::disk::Disk;
use posthouse_engine::index::Mailbox;
use posthouse_engine::{Engine, Options};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What of a backup goes where.
pub struct Part {
    /// Whose mail; also of an account that was in the recycle bin.
    pub account: String,
    /// Only this mailbox.
    pub mailbox: Option<String>,
    /// Who gets it.
    pub into: String,
    /// Below which mailbox.
    pub folder: String,
}

/// A directory that goes when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Restores a part.
///
/// # Errors
/// The account or mailbox is not in the backup, or the account that shall get it does not exist. A message of a file that has changed is
/// told and passed over: each has a crc of its own.
pub fn part(session: &mut Session, found: &Found, part: &Part) -> Result<(Report, Option<Failure>), Failure> {
    let scratch = scratch(&found.root)?;
    let layer = Layer::new(found, &scratch.0).map_err(|error| Failure::io(scratch.0.display(), &error))?;
    let close = layer.close();
    let disk: Arc<dyn Disk> = Arc::new(layer);
    if let Some(at) = found.at {
        back(&disk, found, at)?;
    }
    let options = Options {
        disk,
        clock: Arc::new(SystemClock),
        // STORE says how many there are.
        shards: 1,
        segment_bytes_max: posthouse_engine::base::limits::SEGMENT_BYTES_MAX,
        checkpoint_log_bytes: u64::MAX,
        workers: 1,
    };
    let (engine, _) = Engine::open(options)?;
    let account = account(&engine, &part.account)?;
    let mailboxes = mailboxes(&engine, account, part)?;
    let how = How {
        account: Some(part.into.clone()),
        names: Names::new(Some(part.folder.clone()), true, &[]),
        dates: Dates::File,
        pop3_uidl: Ids::None,
        message_bytes_max: BULK_PAYLOAD_BYTES_MAX,
        size_bytes: mailboxes.iter().map(|mailbox| mailbox.size_bytes).sum(),
    };
    let done = import::bring(session, how, |feeder| {
        // The other side's end is no failure of this one.
        let _ = feed(&engine, account, &mailboxes, feeder);
        Ok(())
    });
    close();
    // It cannot write a checkpoint any more, and needs none.
    let _ = engine.close();
    done
}

/// Beside the backups, or where the machine keeps such things when that is read-only.
fn scratch(root: &Path) -> Result<Scratch, Failure> {
    let name = format!(".reading-{}", std::process::id());
    let mut last = None;
    for dir in [root.to_path_buf(), std::env::temp_dir()] {
        let path = dir.join(format!("posthouse{name}"));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(Scratch(path)),
            Err(error) => last = Some(Failure::io(path.display(), &error)),
        }
    }
    Err(last.unwrap_or_else(|| Failure::new(Kind::Failed, "no directory to work in")))
}

fn account(engine: &Engine, name: &str) -> Result<AccountId, Failure> {
    let address = Address::parse(name)?;
    let found = engine.directory(|directory| {
        let removed = || directory.removed(None).find(|one| one.account.address == address && !one.purge_begun);
        directory.account_at(&address).map(|one| one.id).or_else(|| removed().map(|one| one.account.id))
    });
    found.ok_or_else(|| Failure::not_found(format_args!("account {name} in this backup")))
}

fn mailboxes(engine: &Engine, account: AccountId, part: &Part) -> Result<Vec<Arc<Mailbox>>, Failure> {
    let all = match engine.account(account) {
        Ok(view) => view.mailboxes.clone(),
        // It was never used.
        Err(Error::NotFound(_)) => Vec::new(),
        Err(why) => return Err(why.into()),
    };
    let Some(name) = &part.mailbox else { return Ok(all) };
    let one = all
        .into_iter()
        .find(|mailbox| *mailbox.name == **name || (name.eq_ignore_ascii_case("INBOX") && &*mailbox.name == "INBOX"));
    Ok(vec![one.ok_or_else(|| Failure::not_found(format_args!("mailbox {name} in this backup")))?])
}

fn feed(engine: &Engine, account: AccountId, mailboxes: &[Arc<Mailbox>], mut to: Feeder) -> Result<(), Gone> {
    for mailbox in mailboxes.iter().filter(|mailbox| !mailbox.entries.is_empty()) {
        let name = to.names.below(&mailbox.name);
        to.mailbox("", name)?;
        let pop3_uidls = mailbox.pop3_uidls();
        for entry in mailbox.entries.range(0..mailbox.entries.len()) {
            let read = entry.and_then(|entry| Ok((entry, engine.message_here(account, &entry)?)));
            let (entry, message) = match read {
                Ok(read) => read,
                Err(why) => {
                    to.bad(format!("mailbox {}", mailbox.name), why)?;
                    continue;
                }
            };
            let what = format!("mailbox {}, uid {}", mailbox.name, entry.uid);
            let mut gather = to.gather();
            gather.raw(&message);
            drop(message);
            match gather.done() {
                Ok(message) => {
                    let (flags, date) = (flag_names(mailbox, &entry), Some(entry.internal_date));
                    let pop3_uidl = pop3_uidls.get(entry.uid).map(str::to_owned);
                    to.message(Item { what, flags, date, pop3_uidl, message })?;
                }
                Err(why) => to.bad(what, why)?,
            }
        }
    }
    to.flush()
}
