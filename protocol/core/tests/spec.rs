//! The specification and the code name the same steps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Steps of the specification that describe rather than act, with where they hold.
const NOT_IN_CODE_OF_THE_MACHINE: &[(&str, &str)] = &[
    ("0.1", "request.rs checks requests"),
    ("0.2", "ceremony.rs derives the id"),
    ("0.3", "message.rs signs, receive.rs checks, for every step"),
    ("9.4", "says that there is nothing else"),
    ("10.1", "the conditions of every step"),
    ("11.1", "request/reshare.rs"),
    ("11.7", "the messages follow from the request, which request/reshare.rs compares"),
    ("11.8", "the node's driver keeps the result out of duties, the service out of deposits"),
    ("11.9", "the node's chain/actions.rs"),
];

fn spec_steps(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("- **")?.split_once("**"))
        .map(|(step, _)| step.to_owned())
        .collect()
}

/// `DKG 2`, `DKG 2.4`, `DKG 1.1 to 1.3`, `DKG 4.3 and 5.1`: all steps that are meant.
fn cited_steps(text: &str, name: &str, steps: &BTreeSet<String>) -> BTreeSet<String> {
    let mut cited = BTreeSet::new();
    for citation in text.split(&format!("{name} ")).skip(1) {
        let words: Vec<&str> = citation.split_whitespace().take(3).collect();
        let Some(first) = words.first().map(|word| trim(word)).filter(|word| is_step(word)) else { continue };
        let second = words.get(2).map(|word| trim(word)).filter(|word| is_step(word));
        match (words.get(1).copied(), second) {
            (Some("to"), Some(last)) => {
                cited.extend(steps.iter().filter(|step| key(step) >= key(first) && key(step) <= key(last)).cloned());
            }
            (Some("and"), Some(other)) => cited.extend([first.to_owned(), other.to_owned()]),
            _ => {
                cited.insert(first.to_owned());
            }
        }
    }
    cited
}

fn trim(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_ascii_digit())
}

fn is_step(word: &str) -> bool {
    !word.is_empty() && word.split('.').all(|part| part.parse::<u32>().is_ok())
}

fn key(step: &str) -> Vec<u32> {
    step.split('.').map(|part| part.parse().unwrap()).collect()
}

/// Every file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Compares `docs/spec/{file}.md` with the citations `{NAME} 1.2` in `src/{file}/`.
fn compare(file: &str, at_least: usize, not_in_code: &[(&str, &str)]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = file.to_uppercase();
    let steps = spec_steps(&fs::read_to_string(root.join(format!("../../docs/spec/{file}.md"))).unwrap());
    assert!(steps.len() >= at_least, "the specification was not read");
    let mut cited = BTreeSet::new();
    for source in sources(&root.join("src").join(file)) {
        let text = fs::read_to_string(source).unwrap();
        cited.extend(cited_steps(&text, &name, &steps));
    }
    for citation in &cited {
        let known = steps.contains(citation) || steps.iter().any(|step| step.starts_with(&format!("{citation}.")));
        assert!(known, "the code cites {name} {citation}, which the specification does not have");
    }
    let unmatched: Vec<_> = steps
        .iter()
        .filter(|step| cited.contains(*step) == not_in_code.iter().any(|(other, _)| other == step))
        .collect();
    assert!(unmatched.is_empty(), "steps to be cited by the code, or listed as not in it: {unmatched:?}");
}

#[test]
fn every_step_has_code_and_every_citation_a_step() {
    compare("dkg", 40, NOT_IN_CODE_OF_THE_MACHINE);
}

#[test]
fn every_step_of_signing_has_code_and_every_citation_a_step() {
    let not_in_code = [
        ("0.1", "the network layer puts the name into the envelope"),
        ("0.2", "a property of the signatures; 2.4 relies on it"),
        ("1.4", "nothing is done"),
        ("4.3", "says what the check of 4.2 does and does not see"),
    ];
    compare("signing", 20, &not_in_code);
}

#[test]
fn every_step_of_consensus_has_code_and_every_citation_a_step() {
    let not_in_code = [
        ("0.1", "duty.rs names instances"),
        ("8.4", "the journals are the node's: node/src/duties/votes.rs and hub/instance.rs"),
    ];
    compare("consensus", 35, &not_in_code);
}
