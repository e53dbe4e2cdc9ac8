//! What SQLite's own files may say and the parser does not take: a comment after a condition, and a `halt`
//! that stands under conditions.

/// The text of a file with these two put into the parser's words; `label` is the engine's.
pub(crate) fn sqlite_dialect(text: &str, label: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut pending: Vec<String> = Vec::new();
    let mut in_record = false;
    for line in text.lines() {
        let line = line.trim_end();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [which @ ("skipif" | "onlyif"), name, ..] if !in_record => {
                pending.push(format!("{which} {name}"))
            }
            ["halt", ..] if !in_record => {
                if pending.drain(..).all(|condition| holds(&condition, label)) {
                    out.push_str("halt\n");
                    return out;
                }
            }
            words => {
                // A comment between conditions and their record belongs to neither.
                if !words.first().is_some_and(|word| word.starts_with('#')) || in_record {
                    pending.drain(..).for_each(|condition| push_line(&mut out, &condition));
                    in_record = !line.is_empty() && (in_record || starts_record(words));
                    push_line(&mut out, line);
                }
            }
        }
    }
    out
}

fn push_line(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

fn starts_record(words: &[&str]) -> bool {
    matches!(words.first(), Some(&("statement" | "query")))
}

fn holds(condition: &str, label: &str) -> bool {
    match condition.split_once(' ') {
        Some(("skipif", name)) => name != label,
        Some((_, name)) => name == label,
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_under_another_engine_does_nothing() {
        let text = "onlyif mssql\nhalt\n\nskipif mysql # why\nstatement ok\nSELECT 1\n";
        assert_eq!(sqlite_dialect(text, "sqlite"), "\nskipif mysql\nstatement ok\nSELECT 1\n");
    }

    #[test]
    fn a_halt_for_this_engine_ends_the_file() {
        let text = "statement ok\nSELECT 1\n\nonlyif sqlite\nhalt\n\nstatement ok\nSELECT 2\n";
        assert_eq!(sqlite_dialect(text, "sqlite"), "statement ok\nSELECT 1\n\nhalt\n");
    }
}
