//! The provided buffers of a ring: the kernel picks one when bytes arrive, we copy them out and give it back at once, so that an idle
//! connection holds none. It never hands out a buffer that the kernel may write to.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;
use memmap2::MmapMut;

use crate::limits;

/// The group number of the receive buffers; a ring has only this one.
pub(super) const GROUP: u16 = 0;

/// The buffers and the little ring by which they go back to the kernel.
pub(super) struct Buffers {
    /// The shared ring of entries; its memory must outlive the registration.
    ring: MmapMut,
    memory: MmapMut,
    tail: u16,
}

impl Buffers {
    /// Registers fresh buffers with the ring behind `submitter`, which must be dropped before them.
    pub(super) fn register(submitter: &Submitter<'_>) -> io::Result<Buffers> {
        let mut buffers = Buffers::unregistered()?;
        let address = buffers.ring.as_mut_ptr().expose_provenance() as u64;
        // SAFETY: the mapping is page-aligned, holds RECV_BUFFERS_PER_RING entries, and outlives the ring: the driver drops its
        // ring before its buffers.
        unsafe { submitter.register_buf_ring_with_flags(address, limits::RECV_BUFFERS_PER_RING, GROUP, 0) }?;
        buffers.give_all();
        Ok(buffers)
    }

    fn unregistered() -> io::Result<Buffers> {
        let count = usize::from(limits::RECV_BUFFERS_PER_RING);
        Ok(Buffers {
            ring: MmapMut::map_anon(count * size_of::<BufRingEntry>())?,
            memory: MmapMut::map_anon(count * limits::RECV_BUFFER_SIZE_BYTES)?,
            tail: 0,
        })
    }

    fn give_all(&mut self) {
        (0..limits::RECV_BUFFERS_PER_RING).for_each(|id| self.give(id));
    }

    /// The first `len` bytes of buffer `id`, which the kernel has just filled and not been given back.
    pub(super) fn filled(&self, id: u16, len: usize) -> &[u8] {
        assert!(id < limits::RECV_BUFFERS_PER_RING && len <= limits::RECV_BUFFER_SIZE_BYTES);
        let start = usize::from(id) * limits::RECV_BUFFER_SIZE_BYTES;
        // SAFETY: inside the mapping by the assertion; the kernel wrote these bytes before the completion that named the buffer
        // and does not touch it before `give`, which needs `&mut self` and so ends this borrow.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().add(start), len) }
    }

    /// Gives buffer `id` (back) to the kernel.
    pub(super) fn give(&mut self, id: u16) {
        assert!(id < limits::RECV_BUFFERS_PER_RING);
        let count = limits::RECV_BUFFERS_PER_RING;
        let start = usize::from(id) * limits::RECV_BUFFER_SIZE_BYTES;
        let address = self.memory.as_mut_ptr().wrapping_add(start).expose_provenance() as u64;
        let entries = self.ring.as_mut_ptr().cast::<BufRingEntry>();
        // SAFETY: the index is below the count of entries in the mapping, and the kernel reads an entry only after the tail has
        // passed it, which is stored below; there are as many entries as buffers, so an unread one is never overwritten.
        let entry = unsafe { &mut *entries.add(usize::from(self.tail & (count - 1))) };
        entry.set_addr(address);
        entry.set_len(limits::RECV_BUFFER_SIZE_BYTES as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the pointer is the first entry of the ring; its reserved field is the tail, two aligned bytes that only this
        // thread writes.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(entries).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's part: takes the entry at `head`, fills its buffer with `byte`, says which it was. Runs under Miri, which has no rings.
    fn kernel_fills(buffers: &Buffers, head: u16, byte: u8) -> u16 {
        let entries = buffers.ring.as_ptr().cast::<BufRingEntry>();
        // SAFETY: the tail is the reserved field of the first entry, two aligned bytes that nobody writes meanwhile.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(entries).cast_mut()) }.load(Ordering::Acquire);
        assert_ne!(head, tail, "the kernel has a buffer left");
        // SAFETY: the index is below the count of entries, and entries before the tail are written.
        let entry = unsafe { &*entries.add(usize::from(head & (limits::RECV_BUFFERS_PER_RING - 1))) };
        let len = entry.len() as usize;
        assert_eq!(len, limits::RECV_BUFFER_SIZE_BYTES);
        let bytes = std::ptr::with_exposed_provenance_mut::<u8>(entry.addr() as usize);
        // SAFETY: the entry names a whole buffer of the mapping, which nobody reads before it is told that it is filled.
        unsafe { bytes.write_bytes(byte, 100) };
        entry.bid()
    }

    #[test]
    fn each_buffer_comes_back_to_the_kernel_and_is_read_as_it_was_filled() {
        let mut buffers = Buffers::unregistered().expect("memory");
        buffers.give_all();
        let (mut out, mut head) = (Vec::new(), 0_u16);
        // Several times round, with a few on their way at a time, given back in another order.
        for round in 0..usize::from(limits::RECV_BUFFERS_PER_RING) {
            for _ in 0..5 {
                let byte = head.to_le_bytes()[0];
                out.push((kernel_fills(&buffers, head, byte), byte));
                head = head.wrapping_add(1);
            }
            for (id, byte) in &out {
                assert_eq!(buffers.filled(*id, 100), [*byte; 100]);
            }
            out.rotate_left(round % 5);
            out.drain(..).for_each(|(id, _)| buffers.give(id));
        }
        // All of them are there again, each once.
        let mut ids: Vec<u16> = Vec::new();
        for _ in 0..limits::RECV_BUFFERS_PER_RING {
            ids.push(kernel_fills(&buffers, head, 1));
            head = head.wrapping_add(1);
        }
        ids.sort_unstable();
        assert!(ids.into_iter().eq(0..limits::RECV_BUFFERS_PER_RING));
    }
}
