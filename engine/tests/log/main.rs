//! The log through its public interface, on the machine's disk and on the simulated one. Never looks into a file's bytes by itself.
mod ahead;
mod basic;
#[path = "../shared/cases.rs"]
mod cases;
mod crash;
mod disk;
mod faults;
mod format;
mod histories;
mod model;
mod rest;
#[path = "../shared/seeds.rs"]
mod seeds;
mod support;
