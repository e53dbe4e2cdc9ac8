//! Finding matches: where PostgreSQL finds them, and as long or short as it does.
//!
//! The crate prefers the first alternative that fits; PostgreSQL the longest match, or the shortest if the first
//! quantifier is lazy. So where a pattern leaves a choice the end is looked for a second time.

use crate::base::error::SqlError;
use regex_automata::meta::{Cache, Config, Regex};
use regex_automata::nfa::thompson::{self, pikevm};
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind, Span};

use super::options::Options;
use super::syntax::{Rewritten, invalid, rewrite};

/// The most memory of a compiled pattern, in bytes, for each of its automata.
const LARGEST: usize = 4 << 20;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Regexp {
    pub(crate) options: Options,
    regex: Regex,
    ends: Option<Ends>,
}

/// What tells the end of a match.
#[derive(Debug)]
struct Ends {
    vm: pikevm::PikeVM,
    /// Matches only up to the end of what it is given.
    whole: Regex,
    shortest: bool,
}

/// A match: the whole, then each part in parentheses; None: a part that is not in it.
pub(crate) type Found = Vec<Option<Span>>;

/// Memory for searching, to be used again and again.
pub(crate) struct Memory {
    cache: Cache,
    captures: Captures,
    ends: Option<(pikevm::Cache, Cache)>,
}

impl Regexp {
    /// Compiles a pattern.
    pub(crate) fn new(pattern: &str, options: Options) -> Result<Self, SqlError> {
        let rewritten = rewrite(pattern, options)?;
        let regex = compile(&rewritten.pattern, &rewritten)?;
        let ends = if rewritten.ambiguous { Some(Ends::new(&rewritten)?) } else { None };
        Ok(Self { options: rewritten.options, regex, ends })
    }

    /// Whether there is a match anywhere.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// How many parts in parentheses there are.
    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }

    pub(crate) fn memory(&self) -> Memory {
        Memory {
            cache: self.regex.create_cache(),
            captures: self.regex.create_captures(),
            ends: self.ends.as_ref().map(|ends| (ends.vm.create_cache(), ends.whole.create_cache())),
        }
    }

    /// The first match at or behind a place.
    pub(crate) fn find(&self, text: &str, from: usize, memory: &mut Memory) -> Option<Found> {
        let Memory { cache, captures, ends } = memory;
        let input = Input::new(text).span(from..text.len());
        self.regex.search_captures_with(cache, &input, captures);
        let first = captures.get_match()?.span();
        if let (Some(this), Some((vm, whole))) = (&self.ends, ends) {
            let end = this.end(text, first, vm);
            if end != first.end {
                let input = Input::new(&text[..end]).span(first.start..end).anchored(Anchored::Yes);
                this.whole.search_captures_with(whole, &input, captures);
                if !captures.is_match() {
                    return Some(self.only(Span { start: first.start, end }));
                }
            }
        }
        Some((0..=self.groups()).map(|group| captures.get_group(group)).collect())
    }

    /// A match whose parts cannot be told.
    fn only(&self, span: Span) -> Found {
        let mut all = vec![None; self.groups() + 1];
        all[0] = Some(span);
        all
    }
}

impl Ends {
    fn new(rewritten: &Rewritten) -> Result<Self, SqlError> {
        let vm = pikevm::PikeVM::builder()
            .configure(pikevm::Config::new().match_kind(MatchKind::All))
            .syntax(reading(rewritten))
            .thompson(thompson::Config::new().nfa_size_limit(Some(LARGEST)))
            .build(&rewritten.pattern)
            .map_err(|_| invalid("regular expression is too complex"))?;
        let whole = compile(&format!("(?:{})\\z", rewritten.pattern), rewritten)?;
        Ok(Self { vm, whole, shortest: rewritten.shortest })
    }

    /// Where the match that begins where this one does ends.
    fn end(&self, text: &str, first: Span, cache: &mut pikevm::Cache) -> usize {
        let input =
            Input::new(text).span(first.start..text.len()).anchored(Anchored::Yes).earliest(self.shortest);
        self.vm.find(cache, input).map_or(first.end, |found| found.end())
    }
}

fn reading(rewritten: &Rewritten) -> syntax::Config {
    syntax::Config::new().case_insensitive(rewritten.options.ignore_case).nest_limit(250)
}

fn compile(pattern: &str, rewritten: &Rewritten) -> Result<Regex, SqlError> {
    let config = Config::new()
        .nfa_size_limit(Some(LARGEST))
        .onepass_size_limit(Some(LARGEST))
        .hybrid_cache_capacity(LARGEST);
    Regex::builder()
        .configure(config)
        .syntax(reading(rewritten))
        .build(pattern)
        .map_err(|_| invalid("regular expression is too complex"))
}

/// Every match, one behind the other, as PostgreSQL goes on after each: an empty one may touch the one before it.
pub(crate) struct Matches<'a> {
    regexp: &'a Regexp,
    text: &'a str,
    memory: Memory,
    /// None: the end was passed.
    from: Option<usize>,
}

impl<'a> Matches<'a> {
    pub(crate) fn new(regexp: &'a Regexp, text: &'a str, from: usize) -> Self {
        Self { regexp, text, memory: regexp.memory(), from: Some(from) }
    }
}

impl Iterator for Matches<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.regexp.find(self.text, self.from?, &mut self.memory)?;
        let whole = found[0]?;
        self.from = if whole.is_empty() {
            self.text[whole.end..].chars().next().map(|c| whole.end + c.len_utf8())
        } else {
            Some(whole.end)
        };
        Some(found)
    }
}
