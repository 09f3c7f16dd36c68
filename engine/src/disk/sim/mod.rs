//! A disk in memory that forgets, tears and fails on purpose. Keeps the promise of `disk/mod.rs` to the letter and no more.
mod random;

pub use random::Random;
