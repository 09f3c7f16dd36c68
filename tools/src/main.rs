//! The one binary `posthouse`: wiring and nothing else.
mod cli;
mod command;
mod config;
mod control;
mod limits;
mod ops;
mod password;
mod serve;
mod session;
mod store;
mod time;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(cli::Cli::parse())
}
