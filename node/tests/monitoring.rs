//! Alerts and dashboards name only what this version has, the files in `docs/monitoring` are fresh, and the failure catalogue has a
//! section for everything that can be reported.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cluster_node::duties::record::Miss;
use cluster_node::monitoring::{files, metrics, MetricInfo, ALERTS, ANY, DASHBOARDS, DOCS, INSTANCES};

/// What the expressions may call; whatever else stands there has to be a metric.
const FUNCTIONS: [&str; 8] =
    ["sum", "max", "rate", "increase", "histogram_quantile", "max_over_time", "scalar", "time"];
const OPERATORS: [&str; 4] = ["and", "or", "unless", "offset"];
const LABEL_LISTS: [&str; 2] = ["by", "on"];

#[test]
fn files_are_fresh() {
    let folder = repository().join("docs/monitoring");
    let written: BTreeMap<String, String> = files(DOCS).into_iter().collect();
    let found: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    assert_eq!(found, written.keys().cloned().collect(), "files of docs/monitoring");
    for (name, content) in written {
        let file = std::fs::read_to_string(folder.join(&name)).unwrap();
        assert!(file == content, "{name} is stale: cargo run -p cluster-node -- monitoring --out docs/monitoring");
    }
}

#[test]
fn every_expression_names_metrics_labels_and_values_that_exist() {
    let catalogue = Catalogue::new();
    let mut shown = BTreeSet::new();
    for alert in ALERTS {
        let read = catalogue.check(alert.expr).unwrap_or_else(|why| panic!("{}: {why}\n{}", alert.name, alert.expr));
        for text in [alert.summary, alert.action] {
            for label in placeholders(text).iter().filter_map(|text| text.strip_prefix("$labels.")) {
                assert!(read.labels.contains(label), "{} has no label {label}", alert.name);
            }
        }
    }
    for dashboard in DASHBOARDS {
        for panel in dashboard.panels {
            for query in panel.queries {
                let place = format!("{} / {}", dashboard.title, panel.title);
                let read =
                    catalogue.check(&query.promql()).unwrap_or_else(|why| panic!("{place}: {why}\n{}", query.expr));
                for label in placeholders(query.legend) {
                    assert!(read.labels.contains(&label), "{place}: the legend's {label} is not a label of the result");
                }
                shown.extend(read.metrics);
            }
        }
    }
    let instances = INSTANCES.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(", instance)")).unwrap();
    catalogue.check(instances).unwrap();
    let all: BTreeSet<String> = metrics().into_iter().map(|metric| metric.name).collect();
    assert_eq!(all.difference(&shown).collect::<Vec<_>>(), Vec::<&String>::new(), "metrics that no dashboard shows");
}

/// The check itself: each of these once was, or could become, what an expression says after a change of the metrics.
#[test]
fn expressions_that_do_not_fit_are_refused() {
    let catalogue = Catalogue::new();
    for (expression, why) in [
        ("cluster_node_peers", "not a metric"),
        ("rate(cluster_node_duties_missed[5m])", "not a metric"),
        ("cluster_node_beacon_request_seconds", "not a metric"),
        ("cluster_node_peers_connected_total", "not a metric"),
        ("sum by (cause) (cluster_node_duties_missed_total)", "no label cause"),
        (r#"cluster_node_duties_missed_total{cause="signer"}"#, "no label cause"),
        (r#"cluster_node_duties_missed_total{reason="lazy"}"#, "is never"),
        (r#"cluster_node_duties_missed_total{kind=~"block|blocks"}"#, "is never"),
        (r#"cluster_node_consensus_rounds_bucket{le="1"}"#, "is never"),
        (r#"cluster_node_peers_connected{le="1.0"}"#, "no label le"),
        ("sum(cluster_node_peers_connected", "parentheses"),
        ("1 > 0", "no metric"),
    ] {
        let refused = catalogue.check(expression).expect_err(expression);
        assert!(refused.contains(why), "{expression}: {refused}");
    }
    catalogue
        .check("sum by (instance) (rate(cluster_node_duties_done_total[5m])) > 0 unless on (instance) up == 0")
        .unwrap();
}

#[test]
fn the_failure_catalogue_has_a_section_for_every_reason_and_alert_and_none_is_left_over() {
    let page = std::fs::read_to_string(repository().join("docs/failures.md")).unwrap();
    let (_, rest) = page.split_once("\n## Missed duties\n").unwrap();
    let (misses, others) = rest.split_once("\n## Other troubles\n").unwrap();
    let headings = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect()
    };
    assert_eq!(headings(misses), Miss::NAMES);
    let named: BTreeSet<&str> = ALERTS
        .iter()
        .map(|alert| alert.section)
        .filter(|section| *section != "missed-duties" && !Miss::NAMES.contains(section))
        .collect();
    let others_found = headings(others);
    assert_eq!(others_found.iter().map(String::as_str).collect::<BTreeSet<_>>(), named);
    for section in rest.split("\n### ").skip(1) {
        for part in ["**Means:** ", "**See:** ", "**Do:** "] {
            assert!(section.contains(part), "{} lacks {part}", section.lines().next().unwrap());
        }
    }
}

#[test]
fn documentation_names_metrics_that_exist() {
    let catalogue = Catalogue::new();
    let docs = repository().join("docs");
    let pages = std::fs::read_dir(&docs).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    for path in pages.chain([repository().join("README.md"), repository().join("ARCHITECTURE.md")]) {
        let page = std::fs::read_to_string(&path).unwrap();
        for name in page.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
            // The address of a contract, among the settings of the service.
            if name.starts_with("cluster_node_") && name != "cluster_node_contract" {
                let known = catalogue.series.contains_key(name) || catalogue.names.contains(name);
                assert!(known, "{} names {name}, which is not a metric", path.display());
            }
        }
    }
}

/// What an expression names.
#[derive(Debug, Default)]
struct Read {
    /// Names as registered.
    metrics: BTreeSet<String>,
    /// Labels that the metrics have.
    labels: BTreeSet<String>,
}

struct Catalogue {
    series: BTreeMap<String, MetricInfo>,
    names: BTreeSet<String>,
}

impl Catalogue {
    fn new() -> Self {
        let mut series = BTreeMap::new();
        let mut names = BTreeSet::new();
        for mut metric in metrics() {
            names.insert(metric.name.clone());
            let any = || BTreeSet::from([ANY.to_owned()]);
            metric.labels.extend([("instance".to_owned(), any()), ("job".to_owned(), any())]);
            for name in metric.series() {
                let mut info = metric.clone();
                if !name.ends_with("_bucket") {
                    info.labels.remove("le");
                }
                series.insert(name, info);
            }
        }
        // Prometheus' own.
        let mut up = series["cluster_node_peers_connected"].clone();
        up.name = "up".to_owned();
        series.insert("up".to_owned(), up);
        Self { series, names }
    }

    /// Reads an expression: every word is a function, an operator, a metric, or a label of one of its metrics.
    fn check(&self, expression: &str) -> Result<Read, String> {
        let tokens = tokens(expression)?;
        let (mut read, mut listed, mut depth, mut place) = (Read::default(), Vec::new(), 0_i32, 0);
        while let Some(token) = tokens.get(place) {
            place += 1;
            match token {
                Token::Sign('(') => depth += 1,
                Token::Sign(')') => depth -= 1,
                Token::Sign('[') => {
                    place += tokens[place..].iter().position(|token| *token == Token::Sign(']')).unwrap() + 1
                }
                Token::Word(word) if LABEL_LISTS.contains(&word.as_str()) => {
                    let end = tokens[place..].iter().position(|token| *token == Token::Sign(')')).ok_or("no list")?;
                    listed.extend(tokens[place..place + end].iter().filter_map(Token::word));
                    place += end + 1;
                }
                Token::Word(word) if OPERATORS.contains(&word.as_str()) => {}
                Token::Word(word)
                    if FUNCTIONS.contains(&word.as_str()) && tokens.get(place) != Some(&Token::Sign('{')) => {}
                Token::Word(word) => {
                    let metric = self.series.get(word).ok_or(format!("{word} is not a metric"))?;
                    if tokens.get(place) == Some(&Token::Sign('{')) {
                        place = matchers(metric, &tokens, place + 1)?;
                    }
                    read.metrics.insert(metric.name.clone());
                    read.labels.extend(metric.labels.keys().cloned());
                }
                Token::Sign(_) | Token::Number | Token::Text(_) => {}
            }
            if depth < 0 {
                break;
            }
        }
        if depth != 0 {
            return Err("the parentheses do not match".to_owned());
        }
        if read.metrics.is_empty() {
            return Err("no metric is named".to_owned());
        }
        match listed.iter().find(|label| !read.labels.contains(*label)) {
            Some(label) => Err(format!("there is no label {label}")),
            None => Ok(read),
        }
    }
}

/// `label="value",…}`: the labels are the metric's, and fixed values are among its values. Returns the place after it.
fn matchers(metric: &MetricInfo, tokens: &[Token], mut place: usize) -> Result<usize, String> {
    loop {
        let Some(Token::Word(label)) = tokens.get(place) else { return Err("a label is expected".to_owned()) };
        let values = metric.labels.get(label).ok_or(format!("{} has no label {label}", metric.name))?;
        place += 1;
        let mut exact = true;
        while let Some(Token::Sign(sign)) = tokens.get(place) {
            exact &= *sign != '~';
            place += 1;
        }
        let Some(Token::Text(text)) = tokens.get(place) else { return Err("a value is expected".to_owned()) };
        let wanted: Vec<&str> = if exact { vec![text] } else { text.split('|').collect() };
        let strange = wanted.iter().find(|value| !values.contains(ANY) && !values.contains(**value));
        if let Some(value) = strange {
            return Err(format!("{label} of {} is never {value}", metric.name));
        }
        place += 2;
        match tokens.get(place - 1) {
            Some(Token::Sign(',')) => {}
            Some(Token::Sign('}')) => return Ok(place),
            _ => return Err("the braces do not match".to_owned()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Number,
    Sign(char),
}

impl Token {
    fn word(&self) -> Option<String> {
        match self {
            Self::Word(word) => Some(word.clone()),
            _ => None,
        }
    }
}

fn tokens(expression: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let length = |part: fn(char) -> bool| rest.find(|letter| !part(letter)).unwrap_or(rest.len());
        let taken = match first {
            ' ' => 1,
            '"' => {
                let end = rest[1..].find('"').ok_or("a quote is open")?;
                tokens.push(Token::Text(rest[1..=end].to_owned()));
                end + 2
            }
            '0'..='9' => {
                tokens.push(Token::Number);
                // Durations have a letter.
                length(|letter| letter.is_ascii_alphanumeric() || letter == '.')
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = length(|letter| letter.is_ascii_alphanumeric() || letter == '_');
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
            _ if "()[]{},=~!<>+-*/".contains(first) => {
                tokens.push(Token::Sign(first));
                1
            }
            _ => return Err(format!("{first} is unexpected")),
        };
        rest = &rest[taken..];
    }
    Ok(tokens)
}

/// What stands in double braces.
fn placeholders(text: &str) -> Vec<String> {
    let parts = text.split("{{").skip(1).filter_map(|part| part.split_once("}}"));
    parts.map(|(inside, _)| inside.trim().to_owned()).collect()
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
