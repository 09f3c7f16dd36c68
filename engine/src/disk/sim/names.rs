//! The simulated directories: names that programs see, names that are on the medium, and the changes between. Knows no content.
use super::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// A change of one directory, atomic by itself.
#[derive(Clone, Debug)]
pub(super) enum NameOp {
    MakeDir(PathBuf),
    Set(PathBuf, usize),
    Remove(PathBuf),
    Rename { from: PathBuf, to: PathBuf, inode: usize },
}

impl NameOp {
    fn dir(&self) -> &Path {
        let (NameOp::MakeDir(path) | NameOp::Set(path, _) | NameOp::Remove(path) | NameOp::Rename { to: path, .. }) =
            self;
        path.parent().unwrap_or(Path::new(""))
    }
}

/// Files by path, and directories.
#[derive(Clone, Debug, Default)]
struct Tree {
    files: BTreeMap<PathBuf, usize>,
    dirs: BTreeSet<PathBuf>,
}

impl Tree {
    fn apply(&mut self, op: &NameOp) {
        match op {
            NameOp::MakeDir(path) => {
                self.dirs.insert(path.clone());
            }
            NameOp::Set(path, inode) => {
                self.files.insert(path.clone(), *inode);
            }
            NameOp::Remove(path) => {
                self.files.remove(path);
            }
            NameOp::Rename { from, to, inode } => {
                self.files.remove(from);
                self.files.insert(to.clone(), *inode);
            }
        }
    }

    fn has_dir(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.dirs.contains(path)
    }

    /// Takes away what is in no directory.
    fn prune(&mut self) {
        let dirs = self.dirs.clone();
        let reached =
            |path: &Path| path.ancestors().skip(1).all(|dir| dir.as_os_str().is_empty() || dirs.contains(dir));
        self.dirs.retain(|dir| reached(dir));
        self.files.retain(|file, _| reached(file));
    }
}

/// The names of a disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    visible: Tree,
    durable: Tree,
    pending: Vec<NameOp>,
}

impl Names {
    pub(super) fn has(&self, path: &Path) -> bool {
        self.visible.files.contains_key(path)
    }

    pub(super) fn has_dir(&self, path: &Path) -> bool {
        self.visible.has_dir(path)
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<usize> {
        self.visible.files.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn check_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(dir) if self.has_dir(dir) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn change(&mut self, op: NameOp) {
        self.visible.apply(&op);
        self.pending.push(op);
    }

    pub(super) fn sync(&mut self, dir: &Path) {
        let (synced, pending) = std::mem::take(&mut self.pending).into_iter().partition(|op: &NameOp| op.dir() == dir);
        self.pending = pending;
        let synced: Vec<NameOp> = synced;
        synced.iter().for_each(|op| self.durable.apply(op));
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.names_in(dir, self.visible.files.keys())
    }

    pub(super) fn list_dirs(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.names_in(dir, self.visible.dirs.iter())
    }

    fn names_in<'a>(&self, dir: &Path, paths: impl Iterator<Item = &'a PathBuf>) -> io::Result<Vec<String>> {
        if !self.has_dir(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let here = paths.filter(|path| path.parent() == Some(dir));
        Ok(here.filter_map(|path| path.file_name()?.to_str().map(String::from)).collect())
    }

    /// The files that a restarted machine may find, and its names.
    pub(super) fn after_crash(&self, random: &mut Random) -> (Names, Vec<(PathBuf, usize)>) {
        let percent = [0, 50, 100][random.below(3) as usize];
        let mut tree = self.durable.clone();
        self.pending.iter().filter(|_| random.chance(percent)).for_each(|op| tree.apply(op));
        tree.prune();
        Names::of(tree)
    }

    /// The same when all changes have come down.
    pub(super) fn settled(&self) -> (Names, Vec<usize>) {
        let (names, files) = Names::of(self.visible.clone());
        (names, files.into_iter().map(|(_, inode)| inode).collect())
    }

    /// Names whose files are numbered anew.
    fn of(tree: Tree) -> (Names, Vec<(PathBuf, usize)>) {
        let files: Vec<(PathBuf, usize)> = tree.files.into_iter().collect();
        let numbered = files.iter().enumerate().map(|(at, (path, _))| (path.clone(), at)).collect();
        let tree = Tree { files: numbered, dirs: tree.dirs };
        (Names { visible: tree.clone(), durable: tree, pending: Vec::new() }, files)
    }
}
