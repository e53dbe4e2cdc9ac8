//! Upper and lower case, one character for one character.

use crate::functions::call::{Answer, Call, Scalar, strict};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_upper", 1, |call| Ok(call.text(0)?.chars().map(upper).collect::<String>().into())),
    strict("fl_lower", 1, |call| Ok(lowered(call.text(0)?).into())),
    strict("fl_initcap", 1, initcap),
];

/// In lower case.
pub(crate) fn lowered(text: &str) -> String {
    text.chars().map(lower).collect()
}

/// `ß` stays: it has no single capital.
pub(crate) fn upper(c: char) -> char {
    let mut all = c.to_uppercase();
    match (all.next(), all.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// `İ` loses its dot.
pub(crate) fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// A capital at the start of each run of letters and digits.
fn initcap(call: &Call<'_>) -> Answer {
    let mut inside = false;
    let capitals = call.text(0)?.chars().map(|c| {
        let changed = if inside { lower(c) } else { upper(c) };
        inside = c.is_alphanumeric();
        changed
    });
    Ok(capitals.collect::<String>().into())
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn one_character_becomes_one_character() {
        check(&[
            ("fl_upper('ßaéı')", "ßAÉI"),
            ("fl_lower('İẞΣ')", "ißσ"),
            ("fl_initcap('hello wORLD foo_bar 9x été')", "Hello World Foo_Bar 9x Été"),
            ("fl_upper(NULL)", "NULL"),
        ]);
    }
}
