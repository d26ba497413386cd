//! `cluster-node`: see `cluster-node help`.

fn main() -> std::process::ExitCode {
    cluster_node::cli::main()
}
