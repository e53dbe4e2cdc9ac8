//! The fields that a picture of a time may have.

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// `am` or `pm`; with points.
    Half(bool),
    /// `ad` or `bc`; with points.
    Era(bool),
    Century,
    DayName,
    DayShort,
    DayOfYear,
    Day,
    Weekday,
    /// So many digits of a second's fraction.
    Fraction(u32),
    Exact,
    Hour24,
    Hour12,
    IsoDayOfYear,
    IsoWeekday,
    IsoWeek,
    /// So many digits of a year.
    IsoYear(usize),
    Julian,
    Minute,
    Month,
    MonthName,
    MonthShort,
    Millisecond,
    Offset,
    Quarter,
    Roman,
    SecondOfDay,
    Second,
    ZoneHour,
    ZoneMinute,
    Zone,
    Microsecond,
    Week,
    WeekOfMonth,
    YearComma,
    /// So many digits.
    Year(usize),
}

/// How letters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    Upper,
    Capital,
    Lower,
}

/// Upper case; a name that another begins with comes behind it.
const KEYS: &[(&str, Key)] = &[
    ("A.D.", Key::Era(true)),
    ("A.M.", Key::Half(true)),
    ("AD", Key::Era(false)),
    ("AM", Key::Half(false)),
    ("B.C.", Key::Era(true)),
    ("BC", Key::Era(false)),
    ("CC", Key::Century),
    ("DAY", Key::DayName),
    ("DDD", Key::DayOfYear),
    ("DD", Key::Day),
    ("DY", Key::DayShort),
    ("D", Key::Weekday),
    ("FF1", Key::Fraction(1)),
    ("FF2", Key::Fraction(2)),
    ("FF3", Key::Fraction(3)),
    ("FF4", Key::Fraction(4)),
    ("FF5", Key::Fraction(5)),
    ("FF6", Key::Fraction(6)),
    ("FX", Key::Exact),
    ("HH24", Key::Hour24),
    ("HH12", Key::Hour12),
    ("HH", Key::Hour12),
    ("IDDD", Key::IsoDayOfYear),
    ("ID", Key::IsoWeekday),
    ("IW", Key::IsoWeek),
    ("IYYY", Key::IsoYear(4)),
    ("IYY", Key::IsoYear(3)),
    ("IY", Key::IsoYear(2)),
    ("I", Key::IsoYear(1)),
    ("J", Key::Julian),
    ("MI", Key::Minute),
    ("MM", Key::Month),
    ("MONTH", Key::MonthName),
    ("MON", Key::MonthShort),
    ("MS", Key::Millisecond),
    ("OF", Key::Offset),
    ("P.M.", Key::Half(true)),
    ("PM", Key::Half(false)),
    ("Q", Key::Quarter),
    ("RM", Key::Roman),
    ("SSSSS", Key::SecondOfDay),
    ("SSSS", Key::SecondOfDay),
    ("SS", Key::Second),
    ("TZH", Key::ZoneHour),
    ("TZM", Key::ZoneMinute),
    ("TZ", Key::Zone),
    ("US", Key::Microsecond),
    ("WW", Key::Week),
    ("W", Key::WeekOfMonth),
    ("Y,YYY", Key::YearComma),
    ("YYYY", Key::Year(4)),
    ("YYY", Key::Year(3)),
    ("YY", Key::Year(2)),
    ("Y", Key::Year(1)),
];

/// Names that have a form with a capital.
const CAPITAL: &[(&str, Key)] =
    &[("Day", Key::DayName), ("Dy", Key::DayShort), ("Month", Key::MonthName), ("Mon", Key::MonthShort)];

/// Which calendar a field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calendar {
    Gregorian,
    Iso,
}

impl Key {
    /// The field with which a text begins: its name as it stands there, and how letters are written.
    pub(super) fn at(text: &str) -> Option<(&str, Self, Letters)> {
        for (name, key) in KEYS {
            let Some(found) = text.get(..name.len()) else { continue };
            if found == *name {
                return Some((found, *key, Letters::Upper));
            }
            if found.eq_ignore_ascii_case(name) && !found.bytes().any(|byte| byte.is_ascii_uppercase()) {
                return Some((found, *key, Letters::Lower));
            }
            if let Some((_, key)) = CAPITAL.iter().find(|(name, of)| found == *name && of == key) {
                return Some((found, *key, Letters::Capital));
            }
        }
        None
    }

    /// Whether it is read and written as digits.
    pub(super) fn is_digits(self) -> bool {
        !matches!(
            self,
            Self::Half(_)
                | Self::Era(_)
                | Self::DayName
                | Self::DayShort
                | Self::Exact
                | Self::MonthName
                | Self::MonthShort
                | Self::Offset
                | Self::Roman
                | Self::ZoneHour
                | Self::Zone
        )
    }

    /// The calendar in which a field has a meaning, if that matters.
    pub(super) fn calendar(self) -> Option<Calendar> {
        match self {
            Self::IsoDayOfYear | Self::IsoWeekday | Self::IsoWeek | Self::IsoYear(_) => Some(Calendar::Iso),
            Self::DayOfYear
            | Self::Day
            | Self::Weekday
            | Self::Month
            | Self::MonthName
            | Self::MonthShort
            | Self::Roman
            | Self::Week
            | Self::WeekOfMonth
            | Self::YearComma
            | Self::Year(_) => Some(Calendar::Gregorian),
            _ => None,
        }
    }
}
