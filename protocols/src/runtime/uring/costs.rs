//! What ring operations cost that the reactor does not use, beside those that it does: the figures of decision 0041. Runs only when asked:
//! `cargo test -p posthouse-protocols --lib costs -- --ignored --nocapture --test-threads 1`.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use io_uring::opcode::{LinkTimeout, Recv, RecvMulti, Send, SendZc};
use io_uring::types::{Fd, Fixed, Timespec};
use io_uring::{cqueue, squeue};

use super::buffers::{self, Buffers};
use super::ring::{Completion, Ring, SETUPS};

const ROUNDS: u32 = 200_000;
const LARGE_BYTES: u64 = 1 << 30;

/// CPU time of this thread.
fn cpu() -> Duration {
    let mut at = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure outlives the call, which only writes it.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut at) };
    assert_eq!(done, 0);
    Duration::new(at.tv_sec.unsigned_abs(), u32::try_from(at.tv_nsec).expect("below a second"))
}

/// Nanoseconds of CPU that `work` takes once, the best of five.
fn nanos(mut work: impl FnMut()) -> u128 {
    let once = |work: &mut dyn FnMut()| {
        let start = cpu();
        (0..ROUNDS).for_each(|_| work());
        (cpu() - start).as_nanos() / u128::from(ROUNDS)
    };
    (0..5).map(|_| once(&mut work)).min().expect("five")
}

/// Submits the entries and waits for as many completions.
fn perform(ring: &mut Ring, entries: impl IntoIterator<Item = squeue::Entry>, done: &mut Vec<Completion>) {
    let mut count = 0;
    for entry in entries {
        // SAFETY: the callers keep descriptors and bytes until this returns, and it returns when the last completion has come.
        unsafe { ring.push(entry) };
        count += 1;
    }
    done.clear();
    while done.len() < count {
        ring.wait(None).expect("the ring works");
        ring.completions(done);
    }
}

#[test]
#[ignore = "a measurement"]
fn registered_files() {
    let mut ring = Ring::new().expect("a ring");
    let (mut here, there) = UnixStream::pair().expect("a pair");
    ring.io.submitter().register_files(&[there.as_raw_fd()]).expect("registered");
    // A process with threads looks descriptors up with a reference each.
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || stopped.recv());
    let (bytes, mut sink, mut done) = ([7_u8; 64], [0_u8; 64], Vec::new());
    let fd = there.as_raw_fd();
    let plain = nanos(|| {
        perform(&mut ring, [Send::new(Fd(fd), bytes.as_ptr(), 64).build()], &mut done);
        here.read_exact(&mut sink).expect("read");
    });
    let fixed = nanos(|| {
        perform(&mut ring, [Send::new(Fixed(0), bytes.as_ptr(), 64).build()], &mut done);
        here.read_exact(&mut sink).expect("read");
    });
    let call = nanos(|| {
        (&there).write_all(&bytes).expect("written");
        here.read_exact(&mut sink).expect("read");
    });
    println!("send of 64 bytes and its read, ns: ring {plain}, ring with a registered file {fixed}, plain call {call}");
    drop(stop);
    let _ = other.join();
}

#[test]
#[ignore = "a measurement"]
fn linked_timeouts() {
    let mut ring = Ring::new().expect("a ring");
    let (mut here, there) = UnixStream::pair().expect("a pair");
    let (bytes, mut sink, mut done) = ([7_u8; 64], [0_u8; 64], Vec::new());
    let half_an_hour = Timespec::from(Duration::from_secs(1800));
    let fd = there.as_raw_fd();
    let mut receive = |linked: bool| {
        nanos(|| {
            let recv = Recv::new(Fd(fd), sink.as_mut_ptr(), 64).build();
            // Nothing is there when it is submitted, as in an idle session.
            let first = if linked { recv.flags(squeue::Flags::IO_LINK) } else { recv };
            // SAFETY: descriptor, bytes and time live until `perform` has seen the last completion.
            unsafe { ring.push(first) };
            if linked {
                // SAFETY: as above.
                unsafe { ring.push(LinkTimeout::new(&raw const half_an_hour).build()) };
            }
            ring.submit().expect("submitted");
            here.write_all(&bytes).expect("written");
            let (mut got, all) = (0, if linked { 2 } else { 1 });
            while got < all {
                ring.wait(None).expect("the ring works");
                done.clear();
                ring.completions(&mut done);
                got += done.len();
            }
        })
    };
    let (without, with) = (receive(false), receive(true));
    let mut timers: BTreeMap<(Instant, u64), u64> = BTreeMap::new();
    let now = Instant::now();
    timers.extend((0..10_000).map(|n| ((now + Duration::from_millis(n), n), n)));
    let mut number = 10_000;
    let map = nanos(|| {
        number += 1;
        let key = (Instant::now() + Duration::from_secs(1800), number);
        timers.insert(key, number);
        timers.remove(&key);
    });
    println!(
        "receive of 64 bytes, ns: {without}; with a linked timeout {with}; an entry in the map of 10,000 timers {map}"
    );
}

/// Requests and replies of 64 bytes between this thread's ring and another thread.
const ROUND_TRIPS: u32 = 30_000;

/// CPU of this thread for a request that comes in by the ring and its reply by a plain call, in nanoseconds, the best of five.
fn round_trip(ring: &mut Ring, multishot: bool) -> u128 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (server, _) = listener.accept().expect("accepted");
    client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).expect("set");
    let rounds = 5 * ROUND_TRIPS;
    let asking = std::thread::spawn(move || {
        let mut bytes = [7; 64];
        for _ in 0..rounds {
            (&client).write_all(&bytes).and_then(|()| (&client).read_exact(&mut bytes)).expect("answered");
        }
    });
    let mut buffers = Buffers::register(&ring.io.submitter()).expect("buffers");
    let (fd, mut sink, mut done, mut armed) = (Fd(server.as_raw_fd()), [0_u8; 64], Vec::new(), false);
    let mut answer = || {
        if !armed {
            let entry = match multishot {
                true => RecvMulti::new(fd, buffers::GROUP).build(),
                false => Recv::new(fd, sink.as_mut_ptr(), 64).build(),
            };
            armed = multishot;
            // SAFETY: the socket, the bytes and the buffers outlive the ring's last completion: the loop below has seen it, or the ring is gone.
            unsafe { ring.push(entry) };
        }
        done.clear();
        while done.is_empty() {
            ring.wait(None).expect("the ring works");
            ring.completions(&mut done);
        }
        let completion: &Completion = &done[0];
        assert_eq!(completion.result, 64);
        armed = completion.more();
        if let Some(id) = completion.buffer() {
            sink.copy_from_slice(buffers.filled(id, 64));
            buffers.give(id);
        }
        (&server).write_all(&sink).expect("written");
    };
    let once = |_| {
        let start = cpu();
        (0..ROUND_TRIPS).for_each(|_| answer());
        (cpu() - start).as_nanos() / u128::from(ROUND_TRIPS)
    };
    let best = (0..5).map(once).min().expect("five");
    asking.join().expect("answered");
    // The client is gone: the receive that may still be armed ends, and with it the kernel's hold on the buffers.
    if armed {
        ring.wait(None).expect("the ring works");
    }
    ring.io.submitter().unregister_buf_ring(buffers::GROUP).expect("unregistered");
    best
}

#[test]
#[ignore = "a measurement"]
fn setups_and_multishot() {
    for (setup, flags) in SETUPS {
        let mut ring = Ring::with(setup, flags).expect("a ring");
        let (one, many) = (round_trip(&mut ring, false), round_trip(&mut ring, true));
        println!("a request and its reply, CPU ns of the ring's thread, {setup}: receive {one}, multishot {many}");
    }
}

/// CPU of sending a gibibyte in pieces of `size`: milliseconds of the sender and of the process, and whether the kernel says that it copied.
fn send_large(size: usize, zero_copy: bool) -> (u128, u128, bool) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let sender = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (mut receiver, _) = listener.accept().expect("accepted");
    let reader = std::thread::spawn(move || {
        let (mut sink, mut got) = (vec![0; 256 << 10], 0);
        while got < LARGE_BYTES {
            got += receiver.read(&mut sink).expect("read") as u64;
        }
        cpu()
    });
    let mut ring = Ring::new().expect("a ring");
    let (bytes, mut done, mut sent, mut copied) = (vec![7_u8; size], Vec::new(), 0, false);
    let (start, fd) = (cpu(), Fd(sender.as_raw_fd()));
    while sent < LARGE_BYTES {
        let len = u32::try_from(bytes.len().min((LARGE_BYTES - sent) as usize)).expect("small");
        let entry = match zero_copy {
            // IORING_SEND_ZC_REPORT_USAGE
            true => SendZc::new(fd, bytes.as_ptr(), len).zc_flags(1 << 3).build(),
            false => Send::new(fd, bytes.as_ptr(), len).build(),
        };
        perform(&mut ring, [entry], &mut done);
        let result = done[0].result;
        sent += u64::try_from(result).unwrap_or_else(|_| panic!("errno {result}"));
        if cqueue::more(done[0].flags) {
            // The kernel is done with the bytes; IORING_NOTIF_USAGE_ZC_COPIED says that it has copied them all the same.
            while done.len() < 2 {
                ring.wait(None).expect("the ring works");
                ring.completions(&mut done);
            }
            copied |= done[1].result.cast_unsigned() & (1 << 31) != 0;
        }
    }
    let own = cpu() - start;
    let both = own + reader.join().expect("read");
    (own.as_millis(), both.as_millis(), copied)
}

#[test]
#[ignore = "a measurement"]
fn zero_copy_sends() {
    for size in [16 << 10, 64 << 10, 256 << 10, 1 << 20] {
        let best = |zero_copy| (0..5).map(|_| send_large(size, zero_copy)).min().expect("five");
        let ((copy, copy_both, _), (zero, zero_both, copied)) = (best(false), best(true));
        println!(
            "1 GiB over the loopback in sends of {size}: CPU ms of sender (and reader) {copy} ({copy_both}), zero copy {zero} ({zero_both}), copied all the same: {copied}"
        );
    }
}
