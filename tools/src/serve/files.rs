//! The process's limit of open files: raised as far as it may be, and told when that is little.
use crate::limits::{FILES_BESIDES_CONNECTIONS, OPEN_FILES_LOW};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files at most: each connection may bring a message that every filter is shown over a connection of its own.
fn wanted(connections_max: u32, filters: usize) -> u64 {
    let each = 1 + filters as u64;
    (u64::from(connections_max) * each + FILES_BESIDES_CONNECTIONS).max(OPEN_FILES_LOW)
}

/// Raises the soft limit to the hard one.
pub(super) fn raise_limit(connections_max: u32, filters: usize) {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    let Some(files) = getrlimit(Resource::Nofile).current else { return };
    let wanted = wanted(connections_max, filters);
    if files < wanted {
        tracing::warn!(
            open_files_max = files,
            wanted,
            "few open files are allowed: connections above that are refused; raise it by ulimit -Hn or systemd's LimitNOFILE"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn filters_have_files_of_their_own() {
        assert_eq!(wanted(20_000, 0), 20_512);
        assert_eq!(wanted(20_000, 3), 80_512);
    }
}
