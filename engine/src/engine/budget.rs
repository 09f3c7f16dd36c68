//! Bounds the memory of messages under way over all sessions. Who asks for more than is free waits in line; nobody is refused.
use super::ticket::{Filler, Ticket};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Room in memory, given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    bytes: u64,
    budget: Arc<Budget>,
}

#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: u64,
    waiting: VecDeque<(u64, Filler<Permit>)>,
}

impl Budget {
    pub(crate) fn new(bytes_max: u64) -> Arc<Budget> {
        Arc::new(Budget { bytes_max, state: Mutex::new(State { free: bytes_max, waiting: VecDeque::new() }) })
    }

    /// Room for `bytes`, or for all there is when that is less.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Ticket<Permit> {
        let bytes = bytes.min(self.bytes_max);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.waiting.is_empty() && state.free >= bytes {
            state.free -= bytes;
            return Ticket::ready(Permit { bytes, budget: self.clone() });
        }
        let (ticket, filler) = Ticket::pending();
        state.waiting.push_back((bytes, filler));
        ticket
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut served = Vec::new();
        let mut state = self.budget.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.free += self.bytes;
        while let Some((bytes, _)) = state.waiting.front()
            && *bytes <= state.free
        {
            state.free -= *bytes;
            served.extend(state.waiting.pop_front());
        }
        drop(state);
        // Filled without the lock: a ticket nobody waits for drops its permit at once, which comes back here.
        for (bytes, filler) in served {
            filler.fill(Permit { bytes, budget: self.budget.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_first_is_served_first_and_dropped_tickets_lose_nothing() {
        let budget = Budget::new(100);
        let first = budget.reserve(80).wait();
        let (second, third) = (budget.reserve(90), budget.reserve(10));
        drop(second);
        drop(first);
        drop(third.wait());
        drop(budget.reserve(1000).wait());
    }
}
