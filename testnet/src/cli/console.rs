//! Standard input of a demo that stays up: one command a line, one answer each on standard output.

use std::io::{BufRead, IsTerminal, Read};

use anyhow::Context;
use cluster_testnet::console::{next_death, obey, Command};
use cluster_testnet::network::Testnet;
use tokio::sync::mpsc;

/// Bytes of a command; what is longer is none.
const LINE_BYTES: u64 = 1_000;
/// Lines that wait while one is obeyed.
const WAITING: usize = 16;

/// Obeys until Ctrl-C. The end of standard input ends nothing.
pub(super) async fn run(testnet: &mut Testnet) -> anyhow::Result<()> {
    let mut lines = if is_ours() { lines()? } else { mpsc::channel(1).1 };
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            signal = &mut interrupted => return signal.context("signals cannot be received"),
            id = next_death(testnet) => {
                testnet.kill_operator(id).await?;
                println!("operator {id} has died");
            }
            Some(line) = lines.recv() => {
                let answer = match line.parse::<Command>() {
                    Ok(command) => obey(testnet, command).await.map_err(|error| error.to_string()),
                    Err(error) => Err(error),
                };
                match answer {
                    Ok(answer) => println!("{answer}"),
                    Err(error) => println!("error: {error}"),
                }
            }
        }
    }
}

/// By a thread of its own: a runtime would not end before its reading does.
fn lines() -> anyhow::Result<mpsc::Receiver<String>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let read = move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match input.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            if !line.is_empty() && sender.blocking_send(line).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("commands".to_owned()).spawn(read).context("standard input cannot be read")?;
    Ok(receiver)
}

/// A process in the background of a terminal is stopped when it reads from it: so it does not.
fn is_ours() -> bool {
    !std::io::stdin().is_terminal() || std::fs::read_to_string("/proc/self/stat").is_ok_and(|stat| is_foreground(&stat))
}

/// Whether a line of `/proc/PID/stat` has the terminal's process group (field 8) for its own (field 5).
fn is_foreground(stat: &str) -> bool {
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let mut fields = fields.split_whitespace().skip(2);
    let (own, _, _, terminal) = (fields.next(), fields.next(), fields.next(), fields.next());
    own.is_some() && own == terminal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_background_process_leaves_the_terminal_alone() {
        assert!(is_foreground("7 (a) b) S 1 40 40 34816 40 4194304"));
        assert!(!is_foreground("7 (cluster) S 1 40 40 34816 41 4194304"));
        assert!(!is_foreground(""));
    }
}
