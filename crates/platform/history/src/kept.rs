//! A history in a file: one JSON object a line, round after round, so that it can be judged again.
//!
//! A round begins with a line that has the format's version and ends with one that counts what came
//! between: a file whose writer was killed is told from a whole one.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read as _, Write};

use serde::{Deserialize, Serialize};

use super::Call;
use super::watch::Event;

/// Of the file. A reader takes this version and the one before, once there is one.
const FORMAT: u32 = 1;

/// Bytes of a line. A call has some two hundred.
const MAX_LINE: u64 = 64 << 10;

/// A part of a run that is judged by itself: registers of its own, and every watch from its beginning
/// to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// From 1.
    pub number: u64,
    /// Every call.
    pub calls: Vec<Call>,
    /// The events that each watch showed.
    pub watches: BTreeMap<String, Vec<Event>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Round { format: u32, number: u64 },
    Watch { watch: String },
    Call(Call),
    Event { watch: String, event: Event },
    End { calls: usize, events: usize },
}

/// Why a file is not a history.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// It cannot be read.
    #[error("cannot read the history")]
    Io(#[from] io::Error),
    /// A line is not what belongs there.
    #[error("line {line} of the history is not {wanted}: {why}")]
    Line {
        /// From 1.
        line: u64,
        /// What belongs there.
        wanted: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Another version wrote it.
    #[error(
        "line {line}: the history has format {found}, and this program reads format {FORMAT}; use the one that wrote it"
    )]
    Format {
        /// From 1.
        line: u64,
        /// Its format.
        found: u32,
    },
    /// The last round does not end, or lost lines.
    #[error("round {0} of the history is not whole: its writer was stopped; what comes before can be judged")]
    CutOff(u64),
}

/// Appends a round.
pub fn write(out: &mut impl Write, round: &Round) -> io::Result<()> {
    let mut line = |line: &Line| -> io::Result<()> {
        serde_json::to_writer(&mut *out, line)?;
        out.write_all(b"\n")
    };
    line(&Line::Round { format: FORMAT, number: round.number })?;
    for call in &round.calls {
        line(&Line::Call(call.clone()))?;
    }
    let mut count = 0;
    for (watch, events) in &round.watches {
        line(&Line::Watch { watch: watch.clone() })?;
        for event in events {
            line(&Line::Event { watch: watch.clone(), event: event.clone() })?;
        }
        count += events.len();
    }
    line(&Line::End { calls: round.calls.len(), events: count })
}

/// Reads rounds, one at a time.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    line: u64,
    failed: bool,
}

impl<R: BufRead> Reader<R> {
    /// From the beginning of a file.
    pub fn new(input: R) -> Self {
        Self { input, line: 0, failed: false }
    }

    fn line(&mut self, wanted: &'static str) -> Result<Option<Line>, KeptError> {
        let mut bytes = Vec::new();
        if self.input.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(Some).map_err(|e| KeptError::Line { line: self.line, wanted, why: e.to_string() })
    }

    fn round(&mut self) -> Result<Option<Round>, KeptError> {
        let wanted = "the beginning of a round";
        let mut round = match self.line(wanted)? {
            None => return Ok(None),
            Some(Line::Round { format: FORMAT, number }) => Round { number, ..Round::default() },
            Some(Line::Round { format, .. }) => {
                return Err(KeptError::Format { line: self.line, found: format });
            }
            Some(_) => {
                let why = "something else stands there".to_owned();
                return Err(KeptError::Line { line: self.line, wanted, why });
            }
        };
        loop {
            let cut_off = KeptError::CutOff(round.number);
            match self.line("a call, an event or the end of a round") {
                Ok(Some(Line::Call(call))) => round.calls.push(call),
                Ok(Some(Line::Watch { watch })) => drop(round.watches.entry(watch).or_default()),
                Ok(Some(Line::Event { watch, event })) => round.watches.entry(watch).or_default().push(event),
                Ok(Some(Line::End { calls, events })) => {
                    let whole = calls == round.calls.len()
                        && events == round.watches.values().map(Vec::len).sum::<usize>();
                    return if whole { Ok(Some(round)) } else { Err(cut_off) };
                }
                Ok(Some(Line::Round { .. }) | None) => return Err(cut_off),
                // A last line without its end is the same.
                Err(KeptError::Line { .. }) if self.input.fill_buf()?.is_empty() => return Err(cut_off),
                Err(e) => return Err(e),
            }
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Round, KeptError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let round = self.round();
        self.failed = round.is_err();
        round.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Outcome};

    fn round(number: u64) -> Round {
        let call = |action, outcome| Call {
            client: 1,
            node: "node01".into(),
            key: 3,
            asked: 1,
            answered: 2,
            action,
            outcome,
            revision: Some(7),
        };
        let calls = vec![
            call(Action::Write(1), Outcome::Written),
            call(Action::Swap { expected: None, new: 2 }, Outcome::Held(Some(1))),
            call(Action::Delete, Outcome::Removed(Some(1))),
            call(Action::Read, Outcome::Garbled),
        ];
        let events =
            vec![Event { revision: 7, key: 3, value: Some(1) }, Event { revision: 8, key: 3, value: None }];
        Round { number, calls, watches: [("node01".into(), events), ("node02".into(), Vec::new())].into() }
    }

    fn file() -> Vec<u8> {
        let mut file = Vec::new();
        for number in 1..=2 {
            write(&mut file, &round(number)).unwrap();
        }
        file
    }

    #[test]
    fn rounds_are_read_back_as_they_were() {
        let read: Vec<Round> = Reader::new(&file()[..]).collect::<Result<_, _>>().unwrap();
        assert_eq!(read, [round(1), round(2)]);
    }

    #[test]
    fn a_file_cut_off_anywhere_is_noticed() {
        let (file, first) = (file(), {
            let mut one = Vec::new();
            write(&mut one, &round(1)).unwrap();
            one.len()
        });
        for end in 1..file.len() {
            if end == first {
                continue;
            }
            let last = Reader::new(&file[..end]).last();
            let whole_but_for_the_newline = end == file.len() - 1 || end == first - 1;
            assert!(whole_but_for_the_newline || matches!(last, Some(Err(_))), "cut at {end}: {last:?}");
        }
    }

    #[test]
    fn what_is_no_history_is_refused_with_its_place() {
        let later = br#"{"round":{"format":2,"number":1}}"#;
        assert!(matches!(Reader::new(&later[..]).next(), Some(Err(KeptError::Format { line: 1, found: 2 }))));
        assert!(matches!(Reader::new(&b"hello\n"[..]).next(), Some(Err(KeptError::Line { line: 1, .. }))));
        assert!(Reader::new(&b""[..]).next().is_none());
        let endless = vec![b' '; 2 * usize::try_from(MAX_LINE).unwrap()];
        assert!(matches!(Reader::new(&endless[..]).next(), Some(Err(KeptError::Line { .. }))));
    }
}
