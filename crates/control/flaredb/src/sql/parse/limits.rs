//! How long, how deep and how wide a statement may be, before anything recurses over it.
//!
//! Depth is told from the tokens alone: brackets, CASE, runs of prefix operators, and chains of operators (which
//! become trees leaning to the left). What passes is bounded, and tells how much stack it may need.

use crate::base::{SqlError, SqlState};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::dialect::is_word;

/// What a statement may be at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of a statement.
    pub(crate) statement: usize,
    /// Bytes of an INSERT or COPY, and of a string of several statements.
    pub(crate) bulk: usize,
    /// Tokens of a string, estimated beforehand.
    pub(crate) tokens: usize,
    /// Levels of nesting, these not included.
    pub(crate) depth: usize,
    /// Tokens in a row at one level without a comma between them.
    pub(crate) chain: usize,
    /// Parameters of a statement.
    pub(crate) parameters: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement: 1 << 20,
            bulk: 16 << 20,
            tokens: 1 << 21,
            depth: 100,
            chain: 20_000,
            parameters: 65_535,
        }
    }
}

/// What one level of nesting may take of the stack while a statement is planned, in bytes.
const PER_LEVEL: usize = 48 << 10;
/// What a token of a chain may take.
const PER_LINK: usize = 1 << 10;
/// Below this, any stack will do.
const SMALL: usize = 512 << 10;

/// How much stack a statement may take; 0: no more than any caller has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stack(usize);

impl Stack {
    /// For this much nesting, and chains as long as that.
    fn of(depth: usize, chain: usize) -> Self {
        let bytes = depth * PER_LEVEL + chain * PER_LINK;
        Self(if bytes <= SMALL { 0 } else { bytes + SMALL })
    }

    /// Runs it with that much stack.
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        if self.0 == 0 { work() } else { stacker::grow(self.0, work) }
    }
}

/// Refuses a string that is too long, or has too many tokens to be read.
pub(crate) fn check_text(text: &str, limits: &Limits) -> Result<(), SqlError> {
    if text.len() > limits.bulk {
        return Err(too_long(limits.bulk));
    }
    let (mut quoted, mut tokens, mut blank) = (false, 0, true);
    for byte in text.bytes() {
        if byte == b'\'' {
            quoted = !quoted;
        } else if !quoted {
            let part = byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'_' | b'.' | b'"');
            tokens += usize::from(!part && !byte.is_ascii_whitespace()) + usize::from(part && blank);
            blank = !part;
        }
    }
    if tokens > limits.tokens {
        let message = "the statement has too many parts";
        let hint = format!("At most about {} are read at a time; send rows by COPY.", limits.tokens);
        return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message).with_hint(hint));
    }
    Ok(())
}

/// Refuses a statement that is too long.
pub(crate) fn check_length(length: usize, bulk: bool, limits: &Limits) -> Result<(), SqlError> {
    let most = if bulk { limits.bulk } else { limits.statement };
    if length > most { Err(too_long(most)) } else { Ok(()) }
}

fn too_long(most: usize) -> SqlError {
    SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("the statement is longer than {most} bytes"))
}

/// What PostgreSQL says when its stack runs out.
pub(crate) fn too_deep() -> SqlError {
    SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").with_hint(
        "The statement is nested too deeply, or chains too many operators: write it in smaller parts.",
    )
}

/// Refuses one that is nested too deeply, and tells what stack the rest takes.
pub(crate) fn check_depth(tokens: &[TokenWithSpan], limits: &Limits) -> Result<Stack, SqlError> {
    let mut levels: Vec<(Level, usize)> = Vec::new();
    let (mut chain, mut prefixes, mut deepest, mut longest) = (0_usize, 0_usize, 0, 0);
    for token in tokens {
        prefixes = if is_prefix(&token.token) { prefixes + 1 } else { 0 };
        match Step::of(&token.token) {
            Step::In(level) => {
                levels.push((level, chain));
                chain = 0;
            }
            Step::Out(level) => {
                if levels.last().is_some_and(|(opened, _)| *opened == level) {
                    chain = levels.pop().map_or(0, |(_, outer)| outer);
                }
            }
            Step::Break => chain = 0,
            Step::Along => chain += 1,
        }
        deepest = deepest.max(levels.len());
        longest = longest.max(chain);
        if levels.len() >= limits.depth || prefixes >= limits.depth || chain > limits.chain {
            return Err(too_deep());
        }
    }
    Ok(Stack::of(deepest, longest))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Bracket,
    Case,
}

enum Step {
    In(Level),
    Out(Level),
    Break,
    Along,
}

impl Step {
    fn of(token: &Token) -> Self {
        match token {
            Token::LParen | Token::LBracket => Self::In(Level::Bracket),
            Token::RParen | Token::RBracket => Self::Out(Level::Bracket),
            Token::Comma | Token::SemiColon => Self::Break,
            token if is_word(token, "case") => Self::In(Level::Case),
            token if is_word(token, "end") => Self::Out(Level::Case),
            _ => Self::Along,
        }
    }
}

fn is_prefix(token: &Token) -> bool {
    matches!(
        token,
        Token::Plus | Token::Minus | Token::Tilde | Token::AtSign | Token::PGSquareRoot | Token::PGCubeRoot
    ) || matches!(token, Token::DoubleExclamationMark | Token::Sharp | Token::AtAt | Token::QuestionPipe)
        || is_word(token, "not")
        || is_word(token, "interval")
}
