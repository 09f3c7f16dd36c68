//! The process's limit of open files: raised as far as it may be, and told when that is little.
use crate::limits::{OPEN_FILES_LOW, files_wanted};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one.
pub(super) fn raise_limit(connections_max: u32, filters: usize) {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    let Some(files) = getrlimit(Resource::Nofile).current else { return };
    let wanted = files_wanted(connections_max, filters).max(OPEN_FILES_LOW);
    if files < wanted {
        tracing::warn!(
            open_files_max = files,
            wanted,
            "few open files are allowed: connections above that are refused; raise it by ulimit -Hn or systemd's LimitNOFILE"
        );
    }
}
