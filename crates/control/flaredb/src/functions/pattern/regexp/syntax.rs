//! PostgreSQL's advanced regular expressions, rewritten for the crate that matches them.
//!
//! Refused: look-around constraints and back references, for which no bound on time is known.

use crate::base::error::{SqlError, SqlState};

use super::bracket;
use super::options::Options;

/// The most repetitions that a quantifier may ask for.
const MOST: u32 = 255;
/// How deep parentheses may stand in each other.
const DEEPEST: usize = 100;
/// The longest pattern, in bytes.
const LONGEST: usize = 64 << 10;

/// What an expression of PostgreSQL's has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rewritten {
    pub(crate) pattern: String,
    pub(crate) options: Options,
    /// Whether a match is as short as it can be, rather than as long.
    pub(crate) shortest: bool,
    /// Whether the first way in which it matches may be neither.
    pub(crate) ambiguous: bool,
}

/// `invalid regular expression: …`.
pub(crate) fn invalid(why: &str) -> SqlError {
    SqlError::new(SqlState(*b"2201B"), format!("invalid regular expression: {why}"))
}

/// A part between parentheses, or the whole.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    branches: bool,
    /// What the first quantified part of the branch prefers: the shortest or not.
    prefers: Option<bool>,
    /// Where it begins in what was written.
    start: usize,
}

/// What was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// Nothing that can be repeated.
    Nothing,
    /// An atom: what it prefers, and where it begins in what was written.
    Atom(Option<bool>, usize),
}

struct Writer<'a> {
    rest: &'a str,
    options: Options,
    out: String,
    open: Vec<Group>,
    last: Last,
    groups: u32,
    /// Quantifiers that leave a choice.
    choices: usize,
    alternatives: bool,
    lazy: bool,
}

/// Rewrites a pattern.
pub(crate) fn rewrite(pattern: &str, mut options: Options) -> Result<Rewritten, SqlError> {
    if pattern.len() > LONGEST {
        return Err(invalid("regular expression is too complex"));
    }
    let mut rest = pattern;
    if let Some(behind) = pattern.strip_prefix("***=") {
        options.literal = true;
        rest = behind;
    } else if let Some(behind) = pattern.strip_prefix("***:") {
        options.literal = false;
        rest = behind;
    }
    if options.literal {
        let pattern = rest.chars().map(literal).collect();
        return Ok(Rewritten { pattern, options, shortest: false, ambiguous: false });
    }
    rest = embedded(rest, &mut options)?;
    let mut writer = Writer {
        rest,
        options,
        out: String::with_capacity(rest.len() + 16),
        open: vec![Group::default()],
        last: Last::Nothing,
        groups: 0,
        choices: 0,
        alternatives: false,
        lazy: false,
    };
    writer.all()?;
    let whole = writer.open[0];
    Ok(Rewritten {
        pattern: writer.out,
        options: writer.options,
        shortest: whole.preference() == Some(true),
        ambiguous: writer.alternatives || writer.lazy || writer.choices > 1,
    })
}

/// `(?xyz)` at the start.
fn embedded<'a>(pattern: &'a str, options: &mut Options) -> Result<&'a str, SqlError> {
    let Some(behind) = pattern.strip_prefix("(?") else { return Ok(pattern) };
    if !behind.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok(pattern);
    }
    let (letters, rest) = behind.split_once(')').ok_or_else(|| invalid("invalid embedded option"))?;
    for letter in letters.chars() {
        if letter == 'b' {
            return Err(SqlError::unsupported("a basic regular expression"));
        }
        if !options.set(letter) {
            return Err(invalid("invalid embedded option"));
        }
    }
    Ok(rest)
}

/// A character that stands for itself.
pub(crate) fn literal(c: char) -> String {
    if c.is_alphanumeric() { c.to_string() } else { format!("\\x{{{:x}}}", u32::from(c)) }
}

impl Group {
    fn preference(self) -> Option<bool> {
        if self.branches { Some(false) } else { self.prefers }
    }
}

impl<'a> Writer<'a> {
    fn all(&mut self) -> Result<(), SqlError> {
        while let Some(c) = self.rest.chars().next() {
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '\\' => self.escape()?,
                '[' => self.bracket()?,
                '(' => self.open()?,
                ')' => self.close()?,
                '|' => self.branch(),
                '*' => self.quantify(None, "*")?,
                '+' => self.quantify(None, "+")?,
                '?' => self.quantify(None, "?")?,
                '{' if self.rest.starts_with(|c: char| c.is_ascii_digit()) => self.bounds()?,
                '.' => self.atom(if self.options.dot_stops { "[^\\n]" } else { "(?s:.)" }),
                '^' => self.constraint(if self.options.lines { "(?m:^)" } else { "\\A" }),
                '$' => self.constraint(if self.options.lines { "(?m:$)" } else { "\\z" }),
                '#' if self.options.expanded => self.skip_line(),
                c if self.options.expanded && c.is_whitespace() => {}
                c => self.atom(&literal(c)),
            }
        }
        if self.open.len() > 1 {
            return Err(invalid("parentheses () not balanced"));
        }
        self.finish_atom();
        Ok(())
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, behind)| behind);
    }

    /// What was read last is not repeated: its preference counts.
    fn finish_atom(&mut self) {
        if let Last::Atom(prefers, _) = self.last {
            self.prefer(prefers);
        }
        self.last = Last::Nothing;
    }

    /// The first preference of a branch is the branch's.
    fn prefer(&mut self, prefers: Option<bool>) {
        let group = self.open.last_mut().expect("the whole is never closed");
        group.prefers = group.prefers.or(prefers);
    }

    fn atom(&mut self, text: &str) {
        self.finish_atom();
        self.last = Last::Atom(None, self.out.len());
        self.out.push_str(text);
    }

    fn constraint(&mut self, text: &str) {
        self.finish_atom();
        self.out.push_str(text);
    }

    fn branch(&mut self) {
        self.finish_atom();
        self.out.push('|');
        self.alternatives = true;
        let group = self.open.last_mut().expect("the whole is never closed");
        *group = Group { branches: true, prefers: None, start: group.start };
    }

    fn open(&mut self) -> Result<(), SqlError> {
        self.finish_atom();
        if let Some(behind) = self.rest.strip_prefix('?') {
            return self.open_special(behind);
        }
        self.groups += 1;
        self.push_group("(")
    }

    fn push_group(&mut self, text: &str) -> Result<(), SqlError> {
        if self.open.len() > DEEPEST {
            return Err(invalid("regular expression is too complex"));
        }
        self.open.push(Group { start: self.out.len(), ..Group::default() });
        self.out.push_str(text);
        Ok(())
    }

    /// What begins with `(?`.
    fn open_special(&mut self, behind: &'a str) -> Result<(), SqlError> {
        if let Some(behind) = behind.strip_prefix(':') {
            self.rest = behind;
            return self.push_group("(?:");
        }
        if let Some(behind) = behind.strip_prefix('#') {
            self.rest = behind.split_once(')').map_or("", |(_, behind)| behind);
            return Ok(());
        }
        if behind.starts_with(['=', '!', '<']) {
            return Err(SqlError::unsupported("a look-around constraint in a regular expression"));
        }
        Err(invalid("quantifier operand invalid"))
    }

    fn close(&mut self) -> Result<(), SqlError> {
        self.finish_atom();
        if self.open.len() == 1 {
            return Err(invalid("parentheses () not balanced"));
        }
        let group = self.open.pop().unwrap_or_default();
        self.out.push(')');
        self.last = Last::Atom(group.preference(), group.start);
        Ok(())
    }

    /// `{m}`, `{m,}`, `{m,n}`.
    fn bounds(&mut self) -> Result<(), SqlError> {
        let bad = || invalid("invalid repetition count(s)");
        let (inside, behind) = self.rest.split_once('}').ok_or_else(|| invalid("braces {} not balanced"))?;
        let number = |digits: &str| {
            let plain = digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<u32>().ok().filter(|number| plain && *number <= MOST).ok_or_else(bad)
        };
        let (least, most) = match inside.split_once(',') {
            None => (number(inside)?, Some(number(inside)?)),
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        if most.is_some_and(|most| most < least) {
            return Err(bad());
        }
        self.rest = behind;
        if behind.starts_with('?') && inside == "1,1" {
            return self.shorten();
        }
        let text = match most {
            None => format!("{{{least},}}"),
            Some(most) => format!("{{{least},{most}}}"),
        };
        self.quantify(inside.parse().ok(), &text)
    }

    /// `{1,1}?` behind a part in parentheses: all in it is to be as short as it can be.
    fn shorten(&mut self) -> Result<(), SqlError> {
        if let Last::Atom(_, start) = self.last {
            self.out.insert_str(start, "(?U:");
            self.out.push(')');
        }
        self.quantify(None, "{1}")
    }

    /// What was read last is repeated, `fixed` times if that is said.
    fn quantify(&mut self, fixed: Option<u32>, text: &str) -> Result<(), SqlError> {
        let Last::Atom(own, _) = self.last else { return Err(invalid("quantifier operand invalid")) };
        self.out.push_str(text);
        let lazy = self.rest.starts_with('?');
        if lazy {
            self.rest = &self.rest[1..];
            self.out.push('?');
        }
        if fixed.is_some() {
            self.prefer(own);
        } else {
            self.prefer(Some(lazy));
            self.choices += 1;
            self.lazy |= lazy;
        }
        self.last = Last::Nothing;
        Ok(())
    }

    fn bracket(&mut self) -> Result<(), SqlError> {
        for (word, constraint) in [("[:<:]]", "\\b{start}"), ("[:>:]]", "\\b{end}")] {
            if let Some(behind) = self.rest.strip_prefix(word) {
                self.rest = behind;
                self.constraint(constraint);
                return Ok(());
            }
        }
        let (text, behind) = bracket::rewrite(self.rest, self.options.dot_stops)?;
        self.rest = behind;
        self.atom(&text);
        Ok(())
    }

    /// What follows a backslash, outside of brackets.
    fn escape(&mut self) -> Result<(), SqlError> {
        let Some(c) = self.rest.chars().next() else { return Err(bad_escape()) };
        if let Some(class) = bracket::class_of(c) {
            self.rest = &self.rest[1..];
            self.atom(&format!("[{class}]"));
            return Ok(());
        }
        let constraint = match c {
            'A' => "\\A",
            'Z' => "\\z",
            'm' => "\\b{start}",
            'M' => "\\b{end}",
            'y' => "\\b",
            'Y' => "\\B",
            _ => "",
        };
        if !constraint.is_empty() {
            self.rest = &self.rest[1..];
            self.constraint(constraint);
            return Ok(());
        }
        if c.is_ascii_digit() && c != '0' {
            self.refuse_back_reference()?;
        }
        let (c, behind) = bracket::character(self.rest)?;
        self.rest = behind;
        self.atom(&literal(c));
        Ok(())
    }

    /// `\1` to `\9`, and longer numbers of groups that there are; others are octal.
    fn refuse_back_reference(&self) -> Result<(), SqlError> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let number = self.rest[..end].parse::<u32>().unwrap_or(u32::MAX);
        if number <= self.groups {
            return Err(SqlError::unsupported("a back reference in a regular expression"));
        }
        if end == 1 { Err(invalid("invalid backreference number")) } else { Ok(()) }
    }
}

/// PostgreSQL's word for it.
pub(crate) fn bad_escape() -> SqlError {
    invalid("invalid escape \\ sequence")
}
