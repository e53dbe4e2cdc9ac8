//! The options of a regular expression: letters in an argument, or embedded at its start.

use crate::base::error::{SqlError, SqlState};

/// How a pattern is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) ignore_case: bool,
    /// Every character stands for itself.
    pub(crate) literal: bool,
    /// Blanks and comments are left out.
    pub(crate) expanded: bool,
    /// `.` and negated brackets do not match a line's end.
    pub(crate) dot_stops: bool,
    /// `^` and `$` match at each line's ends.
    pub(crate) lines: bool,
    /// Every match, not the first alone.
    pub(crate) global: bool,
}

impl Options {
    pub(crate) const NONE: Self = Self {
        ignore_case: false,
        literal: false,
        expanded: false,
        dot_stops: false,
        lines: false,
        global: false,
    };

    /// From the letters of an argument.
    pub(crate) fn read(letters: &str) -> Result<Self, SqlError> {
        let mut options = Self::NONE;
        for letter in letters.chars() {
            match letter {
                'g' => options.global = true,
                'b' => return Err(SqlError::unsupported("a basic regular expression")),
                _ if options.set(letter) => {}
                _ => {
                    let message = format!("invalid regular expression option: \"{letter}\"");
                    return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
                }
            }
        }
        Ok(options)
    }

    /// Takes one letter in. False: there is no such option.
    pub(crate) fn set(&mut self, letter: char) -> bool {
        match letter {
            'c' => self.ignore_case = false,
            'e' => self.literal = false,
            'i' => self.ignore_case = true,
            'm' | 'n' => (self.dot_stops, self.lines) = (true, true),
            'p' => (self.dot_stops, self.lines) = (true, false),
            'q' => self.literal = true,
            's' => (self.dot_stops, self.lines) = (false, false),
            't' => self.expanded = false,
            'w' => (self.dot_stops, self.lines) = (false, true),
            'x' => self.expanded = true,
            _ => return false,
        }
        true
    }
}
