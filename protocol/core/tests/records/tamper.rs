//! Changes a JSON document in every possible place, one at a time.

use serde_json::{json, Value};

/// One changed document: where, how, and the result.
pub struct Tampered {
    /// Path as errors write it, such as `transcript.validators[0].pubkey`.
    pub path: String,
    pub how: &'static str,
    pub document: Value,
}

/// Every leaf changed, every field removed, a field added to every object; every array shortened, lengthened and
/// reordered.
pub fn all(document: &Value) -> Vec<Tampered> {
    let mut found = Vec::new();
    visit(document, document, "", "", &mut found);
    found
}

fn visit(root: &Value, here: &Value, pointer: &str, path: &str, found: &mut Vec<Tampered>) {
    let change = |how: &'static str, value: Value| {
        let mut document = root.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        Tampered { path: path.to_owned(), how, document }
    };
    match here {
        Value::String(text) => {
            // The last digit of anything, and one in the middle: different parts of a point or signature.
            found.push(change("last digit", json!(flip(text, text.len() - 1))));
            found.push(change("middle digit", json!(flip(text, text.len() / 2))));
            found.push(change("shorter", json!(text[..text.len() - 1])));
            found.push(change("number for text", json!(1)));
        }
        Value::Number(number) => {
            found.push(change("plus one", json!(number.as_u64().unwrap() + 1)));
            found.push(change("negative", json!(-1)));
            found.push(change("text for number", json!(number.to_string())));
        }
        Value::Array(items) => {
            found.push(change("first removed", json!(items[1..])));
            found.push(change("last removed", json!(items[..items.len() - 1])));
            found.push(change("last repeated", json!([items.as_slice(), &items[items.len() - 1..]].concat())));
            if items.len() > 1 {
                let mut swapped = items.clone();
                swapped.swap(0, items.len() - 1);
                found.push(change("first and last swapped", json!(swapped)));
                let mut replaced = items.clone();
                replaced[0] = items[1].clone();
                found.push(change("first replaced by second", json!(replaced)));
            }
            for (at, item) in items.iter().enumerate() {
                visit(root, item, &format!("{pointer}/{at}"), &format!("{path}[{at}]"), found);
            }
        }
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("extra".into(), json!(1));
            found.push(change("field added", Value::Object(more)));
            for (name, value) in fields {
                let mut fewer = fields.clone();
                fewer.remove(name);
                found.push(change("field removed", Value::Object(fewer)));
                let child = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                visit(root, value, &format!("{pointer}/{name}"), &child, found);
            }
        }
        Value::Null | Value::Bool(_) => unreachable!("our documents have none"),
    }
}

/// Another hex digit (or letter) at the position.
fn flip(text: &str, at: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = match bytes[at] {
        b'0' => b'1',
        b'a'..=b'e' | b'A'..=b'E' | b'1'..=b'8' => bytes[at] + 1,
        b'9' => b'8',
        _ => bytes[at] - 1,
    };
    String::from_utf8(bytes).unwrap()
}

/// Whether one path lies inside the other, as an error may name a part of what changed or the whole around it.
pub fn related(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    let rest = long.strip_prefix(short);
    short.is_empty() || short == "." || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
