//! Which dictionary fresh mail is compressed with, and when a new one is trained: beside the commits, from samples of the store's own mail.
//! One dictionary serves all shards, each of which keeps it in its own log once it uses it (docs/decisions/0010).
use crate::base::limits::SAMPLE_BYTES_MAX;
use crate::base::{Clock, Guid};
use crate::delivery::{Dictionary, Samples};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

/// Bytes of samples that a dictionary is trained from.
const SAMPLES_BYTES: usize = 1 << 20;
/// Bytes of samples for the first one of a store: so that little mail is stored without.
const SAMPLES_BYTES_FIRST: usize = 512 << 10;
/// Bytes of mail between two looks at whether the current one still serves. Each look that finds it does doubles them, up to the bound.
const GAP_BYTES: u64 = 4 << 20;
const GAP_BYTES_MAX: u64 = 4 << 30;
/// After so much mail a new one is trained however well the old one serves: it costs nothing by then.
const GAP_BYTES_ALWAYS: u64 = 256 << 20;
/// One part in this many of the samples is not trained from but judges.
const JUDGES: usize = 8;
/// A new dictionary is taken when the judges get smaller by this share at least: 1 of 40.
const GAIN: u64 = 40;
/// A dictionary serves as long as samples take at most this many percent of what they took when it was new.
const WORSE_PERCENT: u64 = 105;

/// The current dictionary and what the next one will be trained from.
pub(super) struct Learning {
    current: RwLock<Option<Arc<Dictionary>>>,
    /// Bytes of mail staged since the last training began.
    staged_bytes: AtomicU64,
    /// One message in so many bytes of mail is a sample.
    stride_bytes: AtomicU64,
    gathered: Mutex<Gathered>,
    clock: Arc<dyn Clock>,
    /// Numbers that the shard with the most dictionaries may have given.
    numbers: AtomicU64,
}

#[derive(Default)]
struct Gathered {
    samples: Samples,
    gap_bytes: u64,
    running: Option<JoinHandle<()>>,
    /// Bytes that the samples took when the dictionary was new, of a million; none until that is known.
    usual: Option<u64>,
}

impl Learning {
    /// Goes on with the newest dictionary of any shard.
    pub(super) fn new(clock: Arc<dyn Clock>, newest: Vec<Arc<Dictionary>>, numbers: u16) -> Arc<Learning> {
        let current = newest.into_iter().max_by_key(|dictionary| dictionary.created_ms());
        let gap_bytes = if current.is_some() { GAP_BYTES } else { 0 };
        let gathered = Gathered { gap_bytes, ..Gathered::default() };
        Arc::new(Learning {
            current: RwLock::new(current),
            staged_bytes: AtomicU64::new(0),
            stride_bytes: AtomicU64::new(stride(gap_bytes)),
            gathered: Mutex::new(gathered),
            clock,
            numbers: AtomicU64::new(u64::from(numbers)),
        })
    }

    /// What to compress with now.
    pub(super) fn current(&self) -> Option<Arc<Dictionary>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees every message as it is staged; keeps a few as samples and starts a training when there are enough.
    pub(super) fn see(self: &Arc<Self>, summary: &[u8], message: &[u8]) {
        let bytes = message.len() as u64;
        let before = self.staged_bytes.fetch_add(bytes, Ordering::Relaxed);
        let stride = self.stride_bytes.load(Ordering::Relaxed);
        // A message is a sample when it crosses a multiple of the stride.
        if stride > 0 && before / stride == (before + bytes) / stride {
            return;
        }
        // Nobody waits here for a training that is being started.
        let Ok(mut gathered) = self.gathered.try_lock() else { return };
        let wanted = if gathered.gap_bytes == 0 { SAMPLES_BYTES_FIRST } else { SAMPLES_BYTES };
        if gathered.samples.len_bytes() >= wanted {
            return self.start(&mut gathered, false);
        }
        gathered.samples.push(&summary[..summary.len().min(SAMPLE_BYTES_MAX)]);
        gathered.samples.push(&message[..message.len().min(SAMPLE_BYTES_MAX)]);
    }

    /// Trains from what is there, whatever it is, and waits for the outcome: whether there is a new dictionary.
    pub(super) fn train_now(self: &Arc<Self>) -> bool {
        let before = self.current().map(|dictionary| dictionary.name());
        let mut gathered = self.gathered();
        self.start(&mut gathered, true);
        let running = gathered.running.take();
        drop(gathered);
        let _ = running.map(JoinHandle::join);
        self.current().map(|dictionary| dictionary.name()) != before
    }

    fn start(self: &Arc<Self>, gathered: &mut Gathered, must: bool) {
        if gathered.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        let samples = std::mem::take(&mut gathered.samples);
        let must = must || gathered.gap_bytes >= GAP_BYTES_ALWAYS;
        let learning = Arc::clone(self);
        let train = move || learning.look(samples, must);
        // Without a thread the mail is compressed as before.
        gathered.running = std::thread::Builder::new().name("dictionary".into()).spawn(train).ok();
    }

    /// On a thread of its own: looks whether the current dictionary serves these samples as it served others, and trains one if not.
    fn look(&self, samples: Samples, must: bool) {
        let current = self.current();
        let usual = self.gathered().usual;
        let found = per_million(&samples, current.as_deref());
        let serves = current.is_some() && usual.is_none_or(|usual| found * 100 <= usual * WORSE_PERCENT);
        let new = if serves && !must { None } else { self.train(samples, current.as_deref()) };
        let mut gathered = self.gathered();
        let known = usual.unwrap_or(found);
        (gathered.gap_bytes, gathered.usual) = match &new {
            Some((_, usual)) => (GAP_BYTES.max(if serves { gathered.gap_bytes } else { 0 }), Some(*usual)),
            None => ((gathered.gap_bytes * 2).clamp(GAP_BYTES, GAP_BYTES_MAX), current.as_ref().map(|_| known)),
        };
        self.stride_bytes.store(stride(gathered.gap_bytes), Ordering::Relaxed);
        if let Some((new, _)) = new {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(new));
        }
    }

    /// A dictionary that pays, and what the judges take of a million bytes with it.
    fn train(&self, mut samples: Samples, current: Option<&Dictionary>) -> Option<(Dictionary, u64)> {
        let judges = samples.split_last(JUDGES);
        let half = || RandomState::new().hash_one(samples.len_bytes()).to_be_bytes();
        let mut name = Guid::default();
        name.0[..8].copy_from_slice(&half());
        name.0[8..].copy_from_slice(&half());
        let new = Dictionary::train(&samples, name, self.clock.now_ms())?;
        let (old_bytes, new_bytes) = (judges.compressed_bytes(current), judges.compressed_bytes(Some(&new)));
        // A shard that has no number for a dictionary could not take the mail.
        let numbered = self.numbers.fetch_add(1, Ordering::Relaxed) < u64::from(u16::MAX);
        if !numbered || new_bytes + old_bytes / GAIN > old_bytes {
            return None;
        }
        tracing::info!(samples = samples.len_bytes(), old_bytes, new_bytes, "fresh mail gets a new dictionary");
        let usual = per_million(&judges, Some(&new));
        Some((new, usual))
    }

    /// Waits for a training that runs.
    pub(super) fn close(&self) {
        let running = self.gathered().running.take();
        let _ = running.map(JoinHandle::join);
    }
}

/// So that the samples are spread over the whole gap; every message is one while there is no dictionary.
fn stride(gap_bytes: u64) -> u64 {
    gap_bytes / (SAMPLES_BYTES / SAMPLE_BYTES_MAX) as u64
}

fn per_million(samples: &Samples, dictionary: Option<&Dictionary>) -> u64 {
    samples.compressed_bytes(dictionary) * 1_000_000 / (samples.len_bytes() as u64).max(1)
}
