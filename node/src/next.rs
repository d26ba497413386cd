//! `cluster-node` as the next release, for tests of upgrades.

fn main() -> std::process::ExitCode {
    cluster_node::cli::main()
}
