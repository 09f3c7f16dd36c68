//! The one binary `posthouse`: wiring and nothing else.
mod carry;
mod cli;
mod command;
mod config;
mod control;
mod limits;
mod ops;
mod password;
mod progress;
mod room;
mod serve;
mod session;
mod store;
mod time;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(cli::Cli::parse())
}
