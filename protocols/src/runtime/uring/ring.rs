//! One io_uring instance: set up with the best flags the kernel has, submissions that never get lost, completions in order. What the
//! operations mean it does not know.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{Builder, IoUring, cqueue, squeue};

use crate::limits;

/// A completion, copied out of the ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    pub(super) user_data: u64,
    /// Bytes or a descriptor; below zero an errno.
    pub(super) result: i32,
    pub(super) flags: u32,
}

impl Completion {
    /// Whether the multishot operation goes on.
    pub(super) fn more(&self) -> bool {
        cqueue::more(self.flags)
    }

    /// The provided buffer the bytes are in.
    pub(super) fn buffer(&self) -> Option<u16> {
        cqueue::buffer_select(self.flags)
    }
}

/// The ring and the submissions that did not fit into it yet.
pub(super) struct Ring {
    pub(super) io: IoUring,
    backlog: VecDeque<squeue::Entry>,
    /// Which of the wished flags the kernel took, for the log.
    pub(super) setup: &'static str,
}

pub(super) type Flags = fn(&mut Builder) -> &mut Builder;

/// Best first. With a single issuer whose completions are deferred, the kernel does its part only when we wait: no interrupts
/// of a running session, and completions come in batches (6.1); single issuer (6.0); no interrupts (5.19).
pub(super) const SETUPS: [(&str, Flags); 4] = [
    ("single issuer, deferred task work", |builder| {
        let builder = builder.setup_single_issuer().setup_defer_taskrun();
        builder.setup_coop_taskrun().setup_taskrun_flag()
    }),
    ("single issuer, cooperative", |builder| builder.setup_single_issuer().setup_coop_taskrun().setup_taskrun_flag()),
    ("cooperative", |builder| builder.setup_coop_taskrun().setup_taskrun_flag()),
    ("plain", |builder| builder),
];

impl Ring {
    /// A ring of this thread. With a single issuer no other thread may submit to it, and none can: a ring never leaves its thread.
    pub(super) fn new() -> io::Result<Ring> {
        let mut last = io::Error::from(io::ErrorKind::Unsupported);
        for (setup, flags) in SETUPS {
            match Ring::with(setup, flags) {
                // The kernel does not know a flag: the next set has fewer.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => last = error,
                made => return made,
            }
        }
        Err(last)
    }

    /// A ring with these flags.
    pub(super) fn with(setup: &'static str, flags: Flags) -> io::Result<Ring> {
        let mut builder = IoUring::builder();
        builder.setup_clamp().setup_cqsize(limits::RING_ENTRIES * 4);
        let mut io = flags(&mut builder).build(limits::RING_ENTRIES)?;
        // Spares a descriptor look-up per system call; an old kernel that has it not works all the same.
        let _ = io.submitter().register_ring_fd();
        io.completion().sync();
        Ok(Ring { io, backlog: VecDeque::new(), setup })
    }

    /// Queues an operation; it reaches the kernel with the next submit, in the order of the calls.
    ///
    /// # Safety
    /// Descriptors and addresses in `entry` must stay valid until its last completion.
    pub(super) unsafe fn push(&mut self, entry: squeue::Entry) {
        self.backlog.push_back(entry);
        self.move_backlog();
    }

    fn move_backlog(&mut self) {
        let mut queue = self.io.submission();
        while let Some(entry) = self.backlog.front() {
            // SAFETY: whoever pushed the entry vouched for its addresses until its last completion.
            if unsafe { queue.push(entry) }.is_err() {
                return;
            }
            self.backlog.pop_front();
        }
    }

    /// Hands everything queued to the kernel and takes what is complete, without waiting; without a call where neither side has anything.
    pub(super) fn submit(&mut self) -> io::Result<()> {
        let queue = self.io.submission();
        if queue.is_empty() && self.backlog.is_empty() && !queue.taskrun() && !queue.cq_overflow() {
            return Ok(());
        }
        drop(queue);
        loop {
            let done = self.io.submit();
            tolerate(done)?;
            if self.backlog.is_empty() {
                return Ok(());
            }
            let before = self.backlog.len();
            self.move_backlog();
            if self.backlog.len() == before {
                // The kernel takes no more until completions are taken out; the next turn goes on.
                return Ok(());
            }
        }
    }

    /// Like [`Ring::submit`], then waits for a completion, at most `timeout`.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if !self.backlog.is_empty() {
            return self.submit();
        }
        let done = match timeout {
            None => self.io.submit_and_wait(1),
            Some(timeout) => {
                let timespec = Timespec::from(timeout);
                let args = SubmitArgs::new().timespec(&timespec);
                self.io.submitter().submit_with_args(1, &args)
            }
        };
        tolerate(done)
    }

    /// Moves what has completed into `out`.
    pub(super) fn completions(&mut self, out: &mut Vec<Completion>) {
        let queue = self.io.completion();
        out.extend(queue.map(|entry| Completion {
            user_data: entry.user_data(),
            result: entry.result(),
            flags: entry.flags(),
        }));
    }
}

/// Before a kernel without memory is asked again.
const MEMORY_PAUSE: Duration = Duration::from_millis(20);

/// Interruptions, time's end and a full completion queue are no errors: the loop comes round again.
fn tolerate(done: io::Result<usize>) -> io::Result<()> {
    let Err(error) = done else {
        return Ok(());
    };
    match error.raw_os_error() {
        Some(libc::EINTR | libc::ETIME | libc::EBUSY | libc::EAGAIN) => Ok(()),
        Some(libc::ENOMEM) => {
            // The kernel has none to spare now; what was to be submitted still stands in the queue.
            tracing::warn!("the kernel has no memory for a ring; tried again");
            std::thread::sleep(MEMORY_PAUSE);
            Ok(())
        }
        _ => Err(error),
    }
}
