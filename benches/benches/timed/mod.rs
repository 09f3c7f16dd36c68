//! How criterion times a piece of work that `posthouse-count` counts too. It knows no work.
use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use posthouse_benches::work::Done;

/// What the work makes ready first is not timed.
pub fn timed(all: &mut BenchmarkGroup<'_, WallTime>, name: &str, work: fn(usize) -> Done) {
    all.bench_function(name, |bench| bench.iter_custom(|times| work(times as usize).took));
}
