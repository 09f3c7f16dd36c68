//! Answers which runtime this machine lets us have, by really trying, and says in one line why. It changes nothing.

use std::io;

use super::uring::{self, Trial};
use super::{Choice, Kind, RuntimeError};

/// Where the kernel says whether anybody may use io_uring.
const SYSCTL: &str = "/proc/sys/kernel/io_uring_disabled";

/// Picks the runtime; the text is one line for the log that says what was picked and why.
///
/// # Errors
/// When io_uring is demanded and cannot be had.
pub fn choose(choice: Choice) -> Result<(Kind, String), RuntimeError> {
    if choice == Choice::Tokio {
        return Ok((Kind::Tokio, "runtime tokio: the configuration says so".into()));
    }
    // On a thread of its own: a ring with a single issuer belongs to the thread that made it.
    let trial = std::thread::spawn(uring::attempt).join();
    let trial = trial.unwrap_or_else(|_| Err(("trial", io::Error::other("it panicked"))));
    match trial {
        Ok(Trial { setup }) => {
            Ok((Kind::Uring, format!("runtime io_uring: multishot accept and receive work ({setup})")))
        }
        Err((step, error)) => {
            let reason = why_not(step, &error, std::fs::read_to_string(SYSCTL).ok().as_deref());
            if choice == Choice::Uring {
                return Err(RuntimeError { reason });
            }
            Ok((Kind::Tokio, format!("runtime tokio: {reason}")))
        }
    }
}

/// What failed, and what an operator can do about it.
fn why_not(step: &str, error: &io::Error, sysctl: Option<&str>) -> String {
    let advice = match (error.raw_os_error(), sysctl.map(str::trim)) {
        (Some(libc::EPERM | libc::EACCES), Some("2")) => {
            "sysctl kernel.io_uring_disabled is 2; set it to 0 to allow it"
        }
        (Some(libc::EPERM | libc::EACCES), Some("1")) => {
            "sysctl kernel.io_uring_disabled is 1; set it to 0, or put the service's group into kernel.io_uring_group"
        }
        (Some(libc::EPERM | libc::EACCES), _) => {
            "forbidden by a seccomp filter or security module; a container needs a profile that allows io_uring"
        }
        (Some(libc::ENOSYS), _) => {
            "this kernel has no io_uring, or a seccomp filter hides it; Linux 6.0 or newer is needed"
        }
        (Some(libc::ENOMEM), _) => "too little lockable memory; raise LimitMEMLOCK (ulimit -l)",
        (Some(libc::EINVAL), _) | (None, _) => "the kernel is too old; Linux 6.0 or newer is needed",
        _ => "io_uring does not work here",
    };
    format!("no io_uring: {step}: {error} ({advice})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_names_what_an_operator_can_change() {
        let denied = io::Error::from_raw_os_error(libc::EPERM);
        let told = |sysctl| why_not("io_uring_setup", &denied, sysctl);
        assert!(told(Some("2\n")).contains("kernel.io_uring_disabled is 2"));
        assert!(told(Some("1\n")).contains("kernel.io_uring_group"));
        assert!(told(Some("0\n")).contains("seccomp"));
        let absent = io::Error::from_raw_os_error(libc::ENOSYS);
        assert!(why_not("io_uring_setup", &absent, None).contains("6.0"));
    }
}
