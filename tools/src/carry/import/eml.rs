//! EML files: a file is a message, a directory a mailbox. Other files are passed over in silence: such trees hold what people put there.
use super::feed::{Feeder, Gone, Item};
use super::kind::{Stop, is_eml};
use super::tree::{Dir, LINK, What};
use crate::carry::names;
use crate::limits::IMPORT_DEPTH_MAX;
use crate::ops::Failure;
use std::fs::File;
use std::io;
use std::time::SystemTime;

/// Every message below a directory.
pub(super) fn tree(dir: &Dir, to: &mut Feeder) -> Result<(), Stop> {
    walk(dir, &mut Vec::new(), to)
}

fn walk(dir: &Dir, levels: &mut Vec<String>, to: &mut Feeder) -> Result<(), Stop> {
    let mailbox = to.names.place(levels);
    to.mailbox("", mailbox.clone())?;
    let mut subs: Vec<Vec<u8>> = Vec::new();
    let done = dir.sorted(
        |_| 0,
        |name, what| {
            match what {
                What::Directory => subs.push(name.to_vec()),
                What::File if is_eml(name) => match dir.file(name) {
                    Ok(opened) => file(opened, dir.shown(name), to)?,
                    Err(error) => to.bad(dir.shown(name), error)?,
                },
                What::Link if is_eml(name) => to.bad(dir.shown(name), LINK)?,
                _ => {}
            }
            Ok::<(), Walk>(())
        },
    );
    below(dir, done, to)?;
    for name in subs {
        if levels.len() >= IMPORT_DEPTH_MAX {
            to.bad(dir.shown(&name), format!("lies more than {IMPORT_DEPTH_MAX} levels deep"))?;
            continue;
        }
        match dir.sub(&name) {
            Ok(sub) => {
                let text = String::from_utf8_lossy(&name).into_owned();
                levels.push(names::text_of(&text).unwrap_or(text));
                walk(&sub, levels, to)?;
                levels.pop();
            }
            Err(error) => to.bad(dir.shown(&name), error)?,
        }
    }
    Ok(())
}

/// One message.
pub(super) fn file(mut file: File, what: String, to: &mut Feeder) -> Result<(), Gone> {
    let date = header_or_file_date(&file);
    let mut gather = to.gather();
    let read = gather.file(&mut file, false);
    match read.map_err(|error| error.to_string()).and_then(|()| gather.done()) {
        Ok(message) => to.message(Item { what, flags: Vec::new(), date, pop3_uidl: None, message }),
        Err(why) => to.bad(what, why),
    }
}

/// The file's time, in seconds since 1970-01-01 UTC.
pub(super) fn header_or_file_date(file: &File) -> Option<i64> {
    let time = file.metadata().ok()?.modified().ok()?;
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).ok(),
        Err(before) => i64::try_from(before.duration().as_secs()).ok().map(|seconds| -seconds),
    }
}

/// Why a walk ended.
pub(super) enum Walk {
    Io(io::Error),
    Stop(Stop),
}

impl From<io::Error> for Walk {
    fn from(error: io::Error) -> Walk {
        Walk::Io(error)
    }
}

impl From<Gone> for Walk {
    fn from(_: Gone) -> Walk {
        Walk::Stop(Stop::Gone)
    }
}

impl From<Stop> for Walk {
    fn from(stop: Stop) -> Walk {
        Walk::Stop(stop)
    }
}

/// A directory that cannot be listed is told, and the others are read.
pub(super) fn below(dir: &Dir, done: Result<(), Walk>, to: &mut Feeder) -> Result<(), Stop> {
    match done {
        Ok(()) => Ok(()),
        Err(Walk::Io(error)) => Ok(to.bad(dir.path().display(), error)?),
        Err(Walk::Stop(stop)) => Err(stop),
    }
}

/// A failure that ends the import.
pub(super) fn fatal(what: impl std::fmt::Display, error: &io::Error) -> Stop {
    Stop::Failure(Failure::io(what, error))
}
