//! `cluster-testnet`: a whole network in one process, and thousands of ceremonies in virtual time.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
