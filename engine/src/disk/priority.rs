//! Makes a thread step back when others want the processor. Nothing depends on whether that works.

/// The kernel's nice value of work that nobody waits for.
const NICE: libc::c_int = 10;

/// The calling thread gets the processor when few others want it, to its end.
pub(crate) fn yield_to_others() {
    // SAFETY: the call takes and gives numbers only. On Linux it is for the calling thread alone, which 0 names.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } != 0 {
        tracing::debug!(why = %std::io::Error::last_os_error(), "a thread keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nice() -> libc::c_int {
        // SAFETY: the call takes and gives numbers only.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
    }

    #[test]
    fn only_the_calling_thread_steps_back() {
        let before = nice();
        let after = std::thread::spawn(|| {
            yield_to_others();
            nice()
        });
        assert_eq!(after.join().expect("runs"), NICE.max(before));
        assert_eq!(nice(), before);
    }
}
