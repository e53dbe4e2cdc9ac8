//! Words in dates and times.

/// What a word in a date stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// From 1.
    Month(i64),
    /// The day of the week, of which nothing depends.
    Weekday,
    Ignored,
    Now,
    /// Today and so many days.
    Today(i64),
    Epoch,
    Infinity,
    MinusInfinity,
    /// Midnight, UTC.
    Midnight,
    Am,
    Pm,
    Ad,
    Bc,
    /// `t` between date and time.
    Time,
    /// Before a Julian day.
    Julian,
    /// An hour more for daylight saving.
    Summer,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// A word, in lower case. None: none of a date.
pub(crate) fn word(name: &str) -> Option<Word> {
    let is = |names: &[&str]| names.iter().position(|full| *full == name || full.get(..3) == Some(name));
    if let Some(month) = is(&MONTHS) {
        return i64::try_from(month + 1).ok().map(Word::Month);
    }
    if is(&WEEKDAYS).is_some() {
        return Some(Word::Weekday);
    }
    Some(match name {
        "sept" => Word::Month(9),
        "tues" | "thur" | "thurs" | "weds" => Word::Weekday,
        "at" | "on" => Word::Ignored,
        "now" => Word::Now,
        "today" => Word::Today(0),
        "tomorrow" => Word::Today(1),
        "yesterday" => Word::Today(-1),
        "epoch" => Word::Epoch,
        "infinity" => Word::Infinity,
        "-infinity" => Word::MinusInfinity,
        "allballs" => Word::Midnight,
        "am" => Word::Am,
        "pm" => Word::Pm,
        "ad" => Word::Ad,
        "bc" => Word::Bc,
        "t" => Word::Time,
        "j" | "jd" | "julian" => Word::Julian,
        "dst" => Word::Summer,
        _ => return None,
    })
}

/// Whether the letters are a field of their own when digits come behind.
pub(crate) fn is_word(name: &str) -> bool {
    word(name).is_some()
        || matches!(name, "d" | "h" | "m" | "mm" | "s" | "y" | "dow" | "doy" | "isodow" | "isoyear")
}
