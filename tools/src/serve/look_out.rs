//! Looks all the time whether mail that was answered 250 can be seen. Judges nothing itself: the store says what is late and raises the alarm.
use crate::config::MailLog;
use posthouse_engine::Engine;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks at what came into mailboxes.
const TICK: Duration = Duration::from_secs(1);

/// The look-out; ends when it is dropped.
pub(super) struct LookOut {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LookOut {
    pub(super) fn start(engine: &Arc<Engine>, config: &MailLog) -> std::io::Result<LookOut> {
        let (stop, stopped) = mpsc::channel();
        let (engine, config) = (engine.clone(), config.clone());
        // The queue may be long, so it is looked at less often.
        let every = Duration::from_secs(u64::from((config.queue_alarm_seconds / 4).clamp(1, 30)));
        let watch = move || {
            let mut queue_next = Instant::now();
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                engine.look_in_mailboxes(config.alarm_seconds);
                if Instant::now() >= queue_next {
                    engine.look_in_queue(config.queue_alarm_seconds);
                    queue_next = Instant::now() + every;
                }
            }
        };
        let thread = std::thread::Builder::new().name("look-out".into()).spawn(watch)?;
        Ok(LookOut { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for LookOut {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
