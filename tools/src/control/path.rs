//! A path to the socket that fits into a socket address (108 bytes), however deep the data directory lies.
use super::SOCKET;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Bytes of a path that every Linux takes in `sun_path`, its NUL left out.
const PATH_BYTES_MAX: usize = 107;

/// The path, and what must stay open while it is used.
pub(super) fn of(data: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let path = data.join(SOCKET);
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return Ok((path, None));
    }
    let directory = File::open(data)?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd())), Some(directory)))
}
