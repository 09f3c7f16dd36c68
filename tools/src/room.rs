//! Room in memory that several threads share: who wants more than is free waits. Knows nothing of what is kept in it.
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// A number of bytes that may be held at a time.
pub struct Room {
    bytes_max: usize,
    free: Mutex<usize>,
    freed: Condvar,
}

/// Bytes that are held; dropping gives them back.
pub struct Held {
    bytes: usize,
    room: Arc<Room>,
}

impl Room {
    /// Room for `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Arc<Room> {
        Arc::new(Room { bytes_max, free: Mutex::new(bytes_max), freed: Condvar::new() })
    }

    /// Waits for `bytes`, or for all there is when that is less.
    pub fn hold(self: &Arc<Self>, bytes: usize) -> Held {
        let bytes = bytes.min(self.bytes_max);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free < bytes).unwrap_or_else(PoisonError::into_inner);
        *free -= bytes;
        Held { bytes, room: self.clone() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.room.free.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.room.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::Room;
    use std::sync::mpsc::channel;

    #[test]
    fn who_finds_no_room_gets_it_when_it_is_given_back() {
        let room = Room::new(10);
        let held = room.hold(8);
        let (sender, receiver) = channel();
        let thread = std::thread::spawn({
            let room = room.clone();
            move || {
                let large = room.hold(1000);
                sender.send(()).expect("somebody listens");
                drop(large);
            }
        });
        assert!(receiver.try_recv().is_err(), "more than there is was given");
        drop(held);
        receiver.recv().expect("room");
        thread.join().expect("ended");
        drop(room.hold(10));
    }
}
