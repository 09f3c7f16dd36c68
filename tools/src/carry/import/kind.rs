//! What lies at a path: an export of ours, a Maildir, mbox files or EML files.
use super::feed::{Feeder, Gone};
use super::tree::{Dir, What};
use super::{eml, maildir, mbox, own};
use crate::carry::manifest;
use crate::cli::ImportArgs;
use crate::ops::{self, Failure};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What the operator says lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Whatever it looks like; an export by its manifest
    Auto,
    /// Maildir or Maildir++, whatever a manifest says
    Maildir,
    /// An mbox file or a directory of them, whatever a manifest says
    Mbox,
    /// A file or a tree of files with the ending .eml, whatever a manifest says
    Eml,
}

/// Where the internal date comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Dates {
    /// The file's time; in an mbox the From_ line
    File,
    /// The Date field
    Header,
}

/// How From_ lines are quoted in an mbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Quoting {
    /// mboxrd: every line of quotes and `From ` has one quote more than the message
    Rd,
    /// mboxo: only `>From ` has one
    O,
    /// Nothing is quoted
    None,
}

/// A source that can be read.
pub(super) struct Source {
    path: PathBuf,
    how: How,
    quoting: Quoting,
    from: Option<String>,
    each: bool,
    size_bytes: u64,
}

enum How {
    Own,
    Maildir,
    MboxFile,
    MboxTree,
    EmlFile,
    EmlTree,
}

/// Looks what the arguments name.
pub(super) fn find(args: &ImportArgs) -> Result<Source, Failure> {
    let path = args.path.clone();
    let failed = |error: io::Error| Failure::io(path.display(), &error);
    let about = std::fs::metadata(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::not_found(path.display()),
        _ => failed(error),
    })?;
    let directory = about.is_dir();
    let manifest = directory && path.join(manifest::NAME).is_file();
    let how = match args.format {
        Kind::Maildir if directory => How::Maildir,
        Kind::Mbox if directory => How::MboxTree,
        Kind::Mbox => How::MboxFile,
        Kind::Eml if directory => How::EmlTree,
        Kind::Eml => How::EmlFile,
        _ if manifest => How::Own,
        Kind::Auto if directory => looks_like(&path).map_err(failed)?.ok_or_else(|| unknown(&path))?,
        Kind::Auto if begins_with(&path, b"From ").map_err(failed)? => How::MboxFile,
        Kind::Auto if is_eml(path.as_os_str().as_encoded_bytes()) => How::EmlFile,
        Kind::Auto | Kind::Maildir => return Err(unknown(&path)),
    };
    if !matches!(how, How::Own) && (args.each || args.from.is_some()) {
        let text = format!("{}: no {} there; --from and --each are for an export", path.display(), manifest::NAME);
        return Err(Failure::new(ops::Kind::Refused, text));
    }
    let size_bytes = if directory { 0 } else { about.len() };
    Ok(Source { path, how, quoting: args.quoting, from: args.from.clone(), each: args.each, size_bytes })
}

fn unknown(path: &Path) -> Failure {
    let text = format!("{}: neither a Maildir, nor mbox or EML files; --format says what it is", path.display());
    Failure::new(ops::Kind::Refused, text)
}

fn looks_like(path: &Path) -> io::Result<Option<How>> {
    let dir = Dir::open(path)?;
    if is_maildir(&dir) {
        return Ok(Some(How::Maildir));
    }
    let (mut mbox, mut eml) = (false, false);
    let mut entries = dir.entries()?;
    while let Some((name, what)) = entries.next()? {
        if what == What::Directory && dir.sub(&name).is_ok_and(|sub| is_maildir(&sub)) {
            return Ok(Some(How::Maildir));
        }
        let mail_inside = |sub: Dir| -> io::Result<(bool, bool)> {
            let (mut mbox, mut eml) = (false, false);
            let mut entries = sub.entries()?;
            while let Some((name, _)) = entries.next()? {
                mbox |= name.ends_with(b".mbox") || name.ends_with(b".sbd");
                eml |= is_eml(&name);
            }
            Ok((mbox, eml))
        };
        if what == What::Directory {
            let (inner_mbox, inner_eml) = dir.sub(&name).and_then(mail_inside).unwrap_or_default();
            mbox |= inner_mbox || name.ends_with(b".sbd");
            eml |= inner_eml;
        } else {
            eml |= is_eml(&name);
            mbox |= name.ends_with(b".mbox") || (!is_eml(&name) && dir.file(&name).is_ok_and(is_mbox));
        }
    }
    Ok(if eml { Some(How::EmlTree) } else { mbox.then_some(How::MboxTree) })
}

fn is_maildir(dir: &Dir) -> bool {
    dir.sub(b"cur").is_ok()
}

/// Whether the name ends as mail files do.
pub(super) fn is_eml(name: &[u8]) -> bool {
    name.len() > 4 && name[name.len() - 4..].eq_ignore_ascii_case(b".eml")
}

fn is_mbox(mut file: File) -> bool {
    let mut first = [0; 5];
    file.read_exact(&mut first).is_ok() && first == *b"From "
}

fn begins_with(path: &Path, wanted: &[u8; 5]) -> io::Result<bool> {
    let mut first = Vec::new();
    File::open(path)?.take(5).read_to_end(&mut first)?;
    Ok(first == wanted)
}

impl Source {
    /// Bytes, when that is known.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Reads all of it; an end of the other side is no failure of this one.
    pub(super) fn read(self, mut to: Feeder) -> Result<(), Failure> {
        let done = self.messages(&mut to);
        match done.and_then(|()| Ok(to.flush()?)) {
            Err(Stop::Failure(failure)) => Err(failure),
            Ok(()) | Err(Stop::Gone) => Ok(()),
        }
    }

    fn messages(&self, to: &mut Feeder) -> Result<(), Stop> {
        let path = &self.path;
        let open = || Dir::open(path).map_err(|error| Stop::Failure(Failure::io(path.display(), &error)));
        match self.how {
            How::Own => own::read(&open()?, self.from.as_deref(), self.each, to),
            How::Maildir => maildir::read(&open()?, to),
            How::MboxTree => mbox::tree(&open()?, self.quoting, to),
            How::EmlTree => eml::tree(&open()?, to),
            How::MboxFile | How::EmlFile => {
                let file = File::open(path).map_err(|error| Stop::Failure(Failure::io(path.display(), &error)))?;
                let mailbox = to.names.place(&[]);
                to.mailbox("", mailbox)?;
                let shown = path.display().to_string();
                match self.how {
                    How::MboxFile => mbox::file(file, &shown, self.quoting, to),
                    _ => Ok(eml::file(file, shown, to)?),
                }
            }
        }
    }
}

/// Why reading ended early.
pub(super) enum Stop {
    /// The source cannot be read on.
    Failure(Failure),
    /// Nobody takes messages any more.
    Gone,
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Stop {
        Stop::Gone
    }
}
