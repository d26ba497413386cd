//! `cluster-testnet` as the next release: `duties --rolling-upgrade` runs operators with it.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
