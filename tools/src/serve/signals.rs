//! SIGTERM, SIGINT and SIGHUP ask for a stop; the second one ends the process at once. What was acknowledged is durable by then, so
//! nothing is lost either way.
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::sync::mpsc::{Receiver, channel};

/// The wait for the first signal.
pub(super) struct Signals(Receiver<&'static str>);

impl Signals {
    /// From here on signals ask instead of killing.
    pub(super) fn listen() -> io::Result<Signals> {
        let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let (first, wait) = channel();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            let mut asked = false;
            for signal in signals.forever() {
                if asked {
                    tracing::warn!("a second signal: stopping at once");
                    std::process::exit(1);
                }
                asked = true;
                let _ = first.send(name(signal));
            }
        })?;
        Ok(Signals(wait))
    }

    /// Blocks until the first signal; answers its name.
    pub(super) fn wait(self) -> &'static str {
        self.0.recv().unwrap_or("none")
    }
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGTERM => "SIGTERM",
        SIGINT => "SIGINT",
        _ => "SIGHUP",
    }
}
