//! The lock of a data directory, for work that must be alone.
use crate::base::{Error, Result};
use crate::disk::{Disk, Lock};
use std::io::ErrorKind;
use std::path::Path;

/// Takes it; freed when it is dropped, or by the kernel when the process ends.
///
/// # Errors
/// `Busy`: another process has the directory open.
pub(super) fn lock(disk: &dyn Disk) -> Result<Box<dyn Lock>> {
    let path = Path::new("LOCK");
    disk.lock(path).map_err(|why| match why.kind() {
        ErrorKind::WouldBlock => Error::Busy,
        _ => Error::io(format!("lock {}", disk.full_path(path).display()), why),
    })
}
