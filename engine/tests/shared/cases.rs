//! Runs a property over random cases from a seed that is printed, so that a failure can be had again; a failing case is made small first.
//! `POSTHOUSE_SEED` replays one seed, `POSTHOUSE_RANDOM` takes another, `POSTHOUSE_CASES` asks for another number of cases.
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Holds `property`, which panics where it does not hold, against `cases` values of a strategy.
pub fn check<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value)) {
    let seed = from_environment("POSTHOUSE_SEED").unwrap_or_else(crate::seeds::first);
    let cases = from_environment("POSTHOUSE_CASES").map_or(cases, |cases| cases as u32);
    println!("POSTHOUSE_SEED={seed} POSTHOUSE_CASES={cases}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let done = runner.run(&strategy, |value| {
        let said = catch_unwind(AssertUnwindSafe(|| property(value)));
        said.map_err(|why| TestCaseError::fail(words(&*why)))
    });
    match done {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => panic!("POSTHOUSE_SEED={seed}: {why}\nsmallest case: {value:#?}"),
        Err(TestError::Abort(why)) => panic!("POSTHOUSE_SEED={seed}: {why}"),
    }
}

fn words(why: &(dyn std::any::Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_else(|| "a panic".into())
}
