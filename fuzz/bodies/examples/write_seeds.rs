//! Writes the genuine inputs of every fuzz target to DIR/<target>/, where libFuzzer starts from.

use std::path::PathBuf;

use cluster_fuzz_bodies::TARGETS;

fn main() -> std::io::Result<()> {
    let base = std::env::args().nth(1).map_or_else(|| PathBuf::from("fuzz/corpus"), PathBuf::from);
    for target in TARGETS {
        let folder = base.join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (number, bytes) in (target.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("genuine-{number:02}")), bytes)?;
        }
    }
    Ok(())
}
