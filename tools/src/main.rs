//! The one binary `posthouse`; what it does stands in the library beside it.
use std::process::ExitCode;

fn main() -> ExitCode {
    posthouse::main()
}
