//! The control socket: whatever a line asks of a store, there is an answer that travels back whole.
#![no_main]
use posthouse_engine::Engine;
use posthouse_fuzz::store;
use std::sync::{Arc, Mutex};

posthouse_fuzz::target!(run);

/// Inputs that one store serves, so that they meet what others made, and its memory stays small.
const INPUTS_MAX: u32 = 500;

static STORE: Mutex<Option<(Arc<Engine>, u32)>> = Mutex::new(None);

fn run(data: &[u8]) {
    let mut store = STORE.lock().expect("no input panicked");
    if store.as_ref().is_none_or(|(_, inputs)| *inputs >= INPUTS_MAX) {
        *store = Some((store::engine().0, 0));
    }
    if let Some((engine, inputs)) = store.as_mut() {
        *inputs += 1;
        posthouse::fuzz::control(engine, data);
    }
}
