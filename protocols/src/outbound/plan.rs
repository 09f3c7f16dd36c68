//! Which message goes where next: what is due, what is under way, how many connections a destination may have. Pure: it asks no clock, opens
//! nothing, and can be made again from the queue at any time.
use super::ids::ById;
use super::lanes::{Lanes, Turns};
use super::retry;
use super::route::Destination;
use crate::limits;
use posthouse_engine::base::QueueId;
use posthouse_engine::queue::{Fate, Progress, QueueItem, QueueState};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::ops::Bound;

/// Stale entries that are never too many.
const STALE_MAX: usize = 1024;

/// One message for some of its recipients, all at one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) id: QueueId,
    /// Their places in the item.
    pub(super) recipients: Vec<u32>,
    /// The higher goes first (RFC 6710).
    pub(super) priority: i8,
}

impl Job {
    /// Whether all its recipients still wait for it. A job can be planned from an item as it was before another connection has noted its results; it is
    /// nobody's then, and who still waits is planned again when it ends.
    pub(super) fn is_current(&self, item: &QueueItem, now: i64, wait_max: i64) -> bool {
        let waits = |progress: &Progress| {
            progress.fate == Fate::Waiting && retry::comes(item, progress.next_try, now, wait_max) <= now
        };
        self.recipients.iter().all(|at| item.progress.get(*at as usize).is_some_and(waits))
    }
}

/// Bounds on connections and waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// 0: nothing is taken up but what is for ourselves.
    pub(super) sessions_max: usize,
    pub(super) sessions_per_destination_max: usize,
    /// Seconds after which a message is given up.
    pub(super) lifetime: i64,
    /// Seconds that a destination rests when none of its hosts can be reached; doubles up to the second.
    pub(super) rest_first: i64,
    pub(super) rest_max: i64,
}

/// See above.
pub(super) struct Plan {
    bounds: Bounds,
    /// When to look at items again; entries that `times` does not confirm are stale.
    due: BinaryHeap<Reverse<(i64, QueueId)>>,
    times: ById<i64>,
    /// Recipients that are ready or under way.
    flying: ById<Flying>,
    places: HashMap<Destination, Place>,
    /// Destinations that may want one more connection, each once; ourselves come first.
    hungry: VecDeque<Destination>,
    jobs: usize,
    /// Those to other hosts.
    sessions: usize,
}

/// Recipients of one item, by a bit for each: a message to thousands of destinations is looked at after each of them.
#[derive(Debug, Default)]
struct Flying {
    bits: Vec<u64>,
    count: usize,
}

#[derive(Debug)]
struct Place {
    ready: Lanes<Job>,
    /// Items that are due and wait for room in `ready`, the higher priority first (RFC 6710), within one the oldest; what is behind one destination keeps
    /// nobody else waiting.
    behind: BTreeSet<(Reverse<i8>, QueueId)>,
    /// Whose turn it is to come up.
    turns: Turns,
    /// It stands in `hungry`.
    is_hungry: bool,
    sessions: usize,
    /// Sessions that wait for one more message.
    idle: usize,
    /// Connections that it may have now.
    window: usize,
    /// Nothing is tried before.
    rests_until: i64,
    failures: u32,
}

impl Plan {
    pub(super) fn new(bounds: Bounds) -> Plan {
        Plan {
            bounds,
            due: BinaryHeap::new(),
            times: ById::default(),
            flying: ById::default(),
            places: HashMap::new(),
            hungry: VecDeque::new(),
            jobs: 0,
            sessions: 0,
        }
    }

    /// Looks at an item at `at` again, or earlier if that was planned.
    pub(super) fn look_at(&mut self, id: QueueId, at: i64) {
        look_at(&mut self.due, &mut self.times, id, at);
        self.tidy();
    }

    /// So many items are looked at next, those that are known already among them.
    pub(super) fn expect(&mut self, items: usize) {
        self.times.reserve(items.saturating_sub(self.times.len()));
        self.due.reserve(items.saturating_sub(self.due.len()));
    }

    /// An item is gone or on hold: it is not looked at before somebody asks for it again.
    pub(super) fn forget(&mut self, id: QueueId) {
        if self.times.remove(&id).is_some() {
            self.tidy();
        }
    }

    /// Gives back what stale entries take once they are the most.
    fn tidy(&mut self) {
        if self.due.len() <= 2 * self.times.len() + STALE_MAX {
            return;
        }
        let times = &self.times;
        self.due.retain(|Reverse((at, id))| times.get(id) == Some(at));
        self.due.shrink_to_fit();
        self.times.shrink_to_fit();
    }

    /// The next item to look at, if its time has come and there is room for its jobs.
    pub(super) fn pop_due(&mut self, now: i64) -> Option<QueueId> {
        while self.jobs < limits::OUTBOUND_JOBS_MAX {
            let Reverse((at, id)) = *self.due.peek()?;
            if at > now {
                return None;
            }
            self.due.pop();
            if self.times.get(&id) == Some(&at) {
                self.times.remove(&id);
                return Some(id);
            }
        }
        None
    }

    /// When `pop_due` may have something.
    pub(super) fn next_due(&self) -> Option<i64> {
        let room = self.jobs < limits::OUTBOUND_JOBS_MAX;
        self.due.peek().filter(|_| room).map(|Reverse((at, _))| *at)
    }

    /// Takes up what of an item is due, and plans the next look for the rest. Names the destinations that got a job.
    pub(super) fn consider(
        &mut self,
        item: &QueueItem,
        now: i64,
        to: impl Fn(&str) -> Destination,
    ) -> Vec<Destination> {
        if item.state == QueueState::Hold {
            return Vec::new();
        }
        // Its last attempt is not put off by those before it: its sender is to be told in time.
        let end = item.begins().saturating_add(self.bounds.lifetime);
        let is_at_its_end = now >= end || retry::is_over(item, now) || retry::is_pressing(item, now);
        let flying = self.flying.get(&item.id);
        let is_flying = |at: u32| flying.is_some_and(|flying| flying.has(at));
        let (mut later, mut groups, mut fed) = (None, HashMap::<Destination, Vec<u32>>::new(), Vec::new());
        for (at, recipient, progress) in item.waiting() {
            let at = at as u32;
            if is_flying(at) {
                continue;
            }
            let comes = retry::comes(item, progress.next_try, now, self.bounds.rest_max);
            if comes > now {
                later = Some(later.unwrap_or(i64::MAX).min(comes));
                continue;
            }
            groups.entry(to(&recipient.address)).or_default().push(at);
        }
        // Without connections what is for others waits until the server starts with some.
        groups.retain(|destination, _| self.bounds.sessions_max > 0 || *destination == Destination::Local);
        for (destination, recipients) in groups {
            let first = Place::new(self.bounds.sessions_per_destination_max);
            let place = self.places.entry(destination.clone()).or_insert(first);
            let urged = is_urged(item, &recipients);
            // Further off than the longest rest: the clock has been set back since.
            if urged || place.rests_until > now.saturating_add(self.bounds.rest_max) {
                place.rests_until = 0;
            }
            if place.rests_until > now && !retry::is_pressing(item, now) {
                let next = retry::not_beyond(item, now, place.rests_until);
                later = Some(later.unwrap_or(i64::MAX).min(next));
                continue;
            }
            let priority = item.item.terms.priority;
            // What is favoured leaves room for other destinations all the same.
            let is_favoured = urged || is_at_its_end || priority > 0;
            let parts = if is_favoured { limits::OUTBOUND_READY_FAVOURED_PARTS } else { 1 };
            let is_full = place.ready.len() >= limits::OUTBOUND_READY_MAX * parts;
            // Each priority has some room that the others cannot fill.
            if is_full && place.ready.len_of(priority) >= limits::OUTBOUND_READY_KEPT {
                place.behind.insert((Reverse(priority), item.id));
                // It does not wait for those before it beyond its own time.
                let next = retry::not_beyond(item, now, end);
                if next > now {
                    later = Some(later.unwrap_or(i64::MAX).min(next));
                }
                continue;
            }
            for some in recipients.chunks(limits::OUTBOUND_RECIPIENTS_MAX) {
                place.ready.push_back(priority, Job { id: item.id, recipients: some.to_vec(), priority });
                self.jobs += 1;
            }
            self.flying.entry(item.id).or_default().add(&recipients);
            self.hunger(&destination);
            fed.push(destination);
        }
        if let Some(later) = later {
            self.look_at(item.id, later);
        }
        fed
    }

    /// Destinations that get one more connection now, each as often as it gets one. `ended` must follow for each. The last part of the connections
    /// is for destinations that have none, so that a few slow ones do not hold them all; ourselves need none.
    pub(super) fn begin_sessions(&mut self) -> Vec<Destination> {
        let (mut begun, mut passed_over) = (Vec::new(), Vec::new());
        let sessions_max = self.bounds.sessions_max;
        let shared_max = sessions_max - sessions_max / limits::OUTBOUND_SESSIONS_KEPT_PART;
        while let Some(destination) = self.hungry.front() {
            let is_local = *destination == Destination::Local;
            if self.sessions >= sessions_max && !is_local {
                break;
            }
            let Some(destination) = self.hungry.pop_front() else { break };
            let Some(place) = self.places.get_mut(&destination) else { continue };
            place.is_hungry = false;
            if place.sessions >= place.window || place.ready.len() <= place.idle {
                continue;
            }
            if place.sessions > 0 && self.sessions >= shared_max && !is_local {
                passed_over.push(destination);
                continue;
            }
            place.sessions += 1;
            self.sessions += usize::from(!is_local);
            begun.push(destination.clone());
            if place.ready.len() > place.idle + 1 && place.sessions < place.window {
                self.hunger(&destination);
            }
        }
        passed_over.iter().for_each(|destination| self.hunger(destination));
        begun
    }

    fn hunger(&mut self, destination: &Destination) {
        let Some(place) = self.places.get_mut(destination).filter(|place| !place.is_hungry) else { return };
        place.is_hungry = true;
        match destination {
            Destination::Local => self.hungry.push_front(Destination::Local),
            destination => self.hungry.push_back(destination.clone()),
        }
    }

    /// Whether all connections are taken and some destination has none.
    pub(super) fn is_crowded(&self) -> bool {
        let waits = |destination| {
            self.places.get(destination).is_some_and(|place| place.sessions == 0 && !place.ready.is_empty())
        };
        self.sessions >= self.bounds.sessions_max && self.hungry.iter().any(waits)
    }

    /// The next message for a destination.
    pub(super) fn next(&mut self, destination: &Destination) -> Option<Job> {
        let place = self.places.get_mut(destination)?;
        let job = place.ready.pop();
        if job.is_some()
            && let Some(id) = place.pop_behind()
        {
            // One comes up for each that goes.
            look_at(&mut self.due, &mut self.times, id, 0);
        }
        job
    }

    /// A job that this session cannot do: it is the destination's next.
    pub(super) fn give_back(&mut self, destination: &Destination, job: Job) {
        if let Some(place) = self.places.get_mut(destination) {
            place.ready.push_front(job.priority, job);
        }
    }

    /// All that is ready for a destination: none of its hosts can be reached.
    pub(super) fn drain(&mut self, destination: &Destination) -> Vec<Job> {
        let Some(place) = self.places.get_mut(destination) else { return Vec::new() };
        for (_, id) in std::mem::take(&mut place.behind) {
            look_at(&mut self.due, &mut self.times, id, place.rests_until);
        }
        place.ready.drain()
    }

    /// A job is over; its item is to be considered again.
    pub(super) fn done(&mut self, job: &Job) {
        self.jobs = self.jobs.saturating_sub(1);
        let Some(flying) = self.flying.get_mut(&job.id) else { return };
        if flying.remove(&job.recipients) {
            self.flying.remove(&job.id);
        }
    }

    /// A host has taken a message, or has said for good that it does not: one more connection may be tried.
    pub(super) fn opened(&mut self, destination: &Destination) {
        let most = self.bounds.sessions_per_destination_max;
        if let Some(place) = self.places.get_mut(destination) {
            (place.failures, place.rests_until) = (0, 0);
            place.window = (place.window + 1).min(most);
            self.hunger(destination);
        }
    }

    /// A connection could not be made, or was cut before a message was taken: fewer at a time. When there is no other one the destination
    /// rests; true then.
    pub(super) fn failed(&mut self, destination: &Destination, now: i64) -> bool {
        let bounds = self.bounds;
        let Some(place) = self.places.get_mut(destination) else { return true };
        place.window = (place.window / 2).max(1);
        if place.sessions > 1 {
            return false;
        }
        let rest = (bounds.rest_first << place.failures.min(16)).min(bounds.rest_max);
        place.failures = place.failures.saturating_add(1);
        place.rests_until = now + rest;
        true
    }

    /// A session waits for one more message, or does no longer.
    pub(super) fn idles(&mut self, destination: &Destination, idle: bool) {
        if let Some(place) = self.places.get_mut(destination) {
            place.idle = if idle { place.idle + 1 } else { place.idle.saturating_sub(1) };
        }
    }

    /// A session is over.
    pub(super) fn ended(&mut self, destination: &Destination, now: i64) {
        if *destination != Destination::Local {
            self.sessions = self.sessions.saturating_sub(1);
        }
        let Some(place) = self.places.get_mut(destination) else { return };
        place.sessions = place.sessions.saturating_sub(1);
        if place.sessions == 0 && place.ready.is_empty() {
            // Those before them may have been removed or put on hold.
            for (_, id) in std::mem::take(&mut place.behind) {
                look_at(&mut self.due, &mut self.times, id, place.rests_until);
            }
        }
        if !place.ready.is_empty() {
            self.hunger(destination);
        } else if place.sessions == 0 && place.rests_until <= now && place.failures == 0 {
            self.places.remove(destination);
        }
    }

    /// Forgets destinations that nothing is known of any more.
    pub(super) fn sweep(&mut self, now: i64) {
        let rest_max = self.bounds.rest_max;
        self.places.retain(|_, place| place.is_used() || (now - place.rests_until).abs() <= rest_max);
    }

    /// Jobs ready or under way, and connections to other hosts.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.jobs, self.sessions)
    }
}

impl Flying {
    fn has(&self, at: u32) -> bool {
        self.bits.get(at as usize / 64).is_some_and(|bits| bits >> (at % 64) & 1 == 1)
    }

    fn add(&mut self, recipients: &[u32]) {
        for at in recipients {
            let word = *at as usize / 64;
            self.bits.resize(self.bits.len().max(word + 1), 0);
            self.count += usize::from(!self.has(*at));
            self.bits[word] |= 1 << (at % 64);
        }
    }

    /// True when none is left.
    fn remove(&mut self, recipients: &[u32]) -> bool {
        for at in recipients {
            self.count -= usize::from(self.has(*at));
            if let Some(bits) = self.bits.get_mut(*at as usize / 64) {
                *bits &= !(1 << (at % 64));
            }
        }
        self.count == 0
    }
}

/// Whether an operator asks for one of them: that is tried at once, whatever was heard of the destination before. What nobody has tried yet has by that
/// another time than the one that it came with.
fn is_urged(item: &QueueItem, recipients: &[u32]) -> bool {
    let progress = |at: &u32| item.progress.get(*at as usize);
    let urged = |progress: &Progress| progress.attempts > 0 || progress.next_try != item.begins();
    item.state == QueueState::Active && recipients.iter().filter_map(progress).any(urged)
}

fn look_at(due: &mut BinaryHeap<Reverse<(i64, QueueId)>>, times: &mut ById<i64>, id: QueueId, at: i64) {
    let planned = times.entry(id).or_insert(i64::MAX);
    if at < *planned {
        *planned = at;
        due.push(Reverse((at, id)));
    }
}

impl Place {
    /// The oldest of the priority whose turn it is.
    fn pop_behind(&mut self) -> Option<QueueId> {
        let first_from = |from: Bound<(Reverse<i8>, QueueId)>| self.behind.range((from, Bound::Unbounded)).next();
        let priorities = std::iter::successors(first_from(Bound::Unbounded), |(priority, _)| {
            first_from(Bound::Excluded((*priority, QueueId(u64::MAX))))
        });
        let priority = Reverse(self.turns.next(priorities.map(|(priority, _)| priority.0))?);
        let next = *self.behind.range((priority, QueueId(0))..).next()?;
        self.behind.remove(&next);
        Some(next.1)
    }

    fn is_used(&self) -> bool {
        self.sessions > 0 || self.is_hungry || !self.ready.is_empty() || !self.behind.is_empty()
    }

    fn new(sessions_max: usize) -> Place {
        Place {
            ready: Lanes::new(),
            behind: BTreeSet::new(),
            turns: Turns::default(),
            is_hungry: false,
            sessions: 0,
            idle: 0,
            window: limits::OUTBOUND_WINDOW_FIRST.min(sessions_max).max(1),
            rests_until: 0,
            failures: 0,
        }
    }
}
