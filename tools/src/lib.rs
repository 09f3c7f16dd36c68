//! The program behind the one binary `posthouse`: wiring and nothing else. A library only so that `fuzz/` reaches what reads
//! configuration, member files and the control socket; nobody else builds on it.
mod autoconfig;
mod carry;
mod cli;
mod command;
mod config;
mod control;
pub mod fuzz;
mod limits;
mod ops;
mod password;
mod progress;
mod rescue;
mod room;
mod serve;
mod session;
mod signing;
mod store;
mod time;

use clap::Parser;
use std::process::ExitCode;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    command::run(cli::Cli::parse())
}
