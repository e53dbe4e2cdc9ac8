//! From text to tokens: placed by byte and by character, without blanks, and with what sqlparser's grammar lacks
//! written as what it has.
//!
//! A token's place is kept in sqlparser's own `Location`: `line` is its byte from 1, `column` its character from 1
//! (what PostgreSQL calls the position). Both survive the parser, so names in the tree know where they stand.

use crate::base::{SqlError, SqlState};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Word};

use super::dialect::{Postgres, is_word};
use super::syntax;

/// Tokens of a whole query string, blanks and comments left out.
pub(crate) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, SqlError> {
    let mut place = Place::new(text);
    let mut found = Vec::new();
    Tokenizer::new(&Postgres::default(), text)
        .tokenize_with_location_into_buf(&mut found)
        .map_err(|error| syntax::of_tokenizer(text, &error))?;
    for token in &mut found {
        token.span = Span::new(place.of(token.span.start), place.of(token.span.end));
    }
    refuse_junk(text, &found)?;
    let found = joined(found);
    Ok(rewritten(found))
}

/// Walks through the text once, as the tokens do.
struct Place<'a> {
    rest: std::str::Chars<'a>,
    line: u64,
    column: u64,
    byte: u64,
    character: u64,
}

impl<'a> Place<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text.chars(), line: 1, column: 1, byte: 1, character: 1 }
    }

    /// Must be asked in order.
    fn of(&mut self, location: Location) -> Location {
        while (self.line, self.column) < (location.line, location.column) {
            let Some(c) = self.rest.next() else { break };
            self.byte += c.len_utf8() as u64;
            self.character += 1;
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        Location { line: self.byte, column: self.character }
    }
}

/// `123abc` is no number beside a name.
fn refuse_junk(text: &str, tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let junk = tokens.windows(2).find(|pair| {
        matches!(pair[0].token, Token::Number(..))
            && matches!(&pair[1].token, Token::Word(word) if word.quote_style.is_none())
    });
    let Some(pair) = junk else { return Ok(()) };
    let near = slice(text, Span::new(pair[0].span.start, pair[1].span.end));
    let message = format!("trailing junk after numeric literal at or near \"{near}\"");
    Err(SqlError::new(SqlState::SYNTAX_ERROR, message).at(position(pair[0].span)))
}

/// Drops blanks, and joins strings that only a line break parts.
fn joined(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut joined: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut broken = false;
    for token in tokens {
        if let Token::Whitespace(blank) = &token.token {
            broken |= blank.to_string().contains('\n');
            continue;
        }
        let before = joined.last_mut();
        match (before.map(|before| (&mut before.token, &mut before.span)), &token.token) {
            (Some((Token::SingleQuotedString(text), span)), Token::SingleQuotedString(more))
            | (Some((Token::EscapedStringLiteral(text), span)), Token::SingleQuotedString(more))
                if broken =>
            {
                text.push_str(more);
                span.end = token.span.end;
            }
            _ => joined.push(token),
        }
        broken = false;
    }
    joined
}

/// Replaces what sqlparser does not parse: `OPERATOR(pg_catalog.~)`, `LIKE ANY`, `FOR NO KEY UPDATE`.
fn rewritten(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut rewritten = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let (length, with) = match &tokens[at].token {
            Token::Word(word) if word.quote_style.is_none() => replacement(word, &tokens[at..]),
            _ => (1, None),
        };
        match with {
            None => rewritten.extend(tokens[at..at + length].iter().cloned()),
            Some(with) => {
                let span = Span::new(tokens[at].span.start, tokens[at + length - 1].span.end);
                rewritten.extend(with.into_iter().map(|token| TokenWithSpan { token, span }));
            }
        }
        at += length;
    }
    rewritten
}

/// How many tokens go, and what comes instead.
fn replacement(word: &Word, ahead: &[TokenWithSpan]) -> (usize, Option<Vec<Token>>) {
    let next = |n: usize| ahead.get(n).map(|token| &token.token);
    let word_at = |n: usize, name: &str| next(n).is_some_and(|token| is_word(token, name));
    match word.value.to_ascii_lowercase().as_str() {
        "operator" => {
            qualified_operator(ahead).map_or((1, None), |(length, token)| (length, Some(vec![token])))
        }
        "like" | "ilike" if quantifier(ahead, 1) => {
            (1, Some(vec![like_operator(word.value.len() == 5, false)]))
        }
        "not" if (word_at(1, "like") || word_at(1, "ilike")) && quantifier(ahead, 2) => {
            (2, Some(vec![like_operator(word_at(1, "ilike"), true)]))
        }
        "for" if word_at(1, "no") && word_at(2, "key") && word_at(3, "update") => {
            (4, Some(vec![plain("FOR"), plain("UPDATE")]))
        }
        "for" if word_at(1, "key") && word_at(2, "share") => (3, Some(vec![plain("FOR"), plain("SHARE")])),
        _ => (1, None),
    }
}

fn plain(word: &str) -> Token {
    Token::make_keyword(word)
}

fn quantifier(ahead: &[TokenWithSpan], at: usize) -> bool {
    let any = ahead.get(at).is_some_and(|token| {
        ["any", "some", "all"].iter().any(|quantifier| is_word(&token.token, quantifier))
    });
    any && matches!(ahead.get(at + 1), Some(TokenWithSpan { token: Token::LParen, .. }))
}

fn like_operator(ignoring_case: bool, negated: bool) -> Token {
    match (ignoring_case, negated) {
        (false, false) => Token::DoubleTilde,
        (true, false) => Token::DoubleTildeAsterisk,
        (false, true) => Token::ExclamationMarkDoubleTilde,
        (true, true) => Token::ExclamationMarkDoubleTildeAsterisk,
    }
}

/// `OPERATOR ( [pg_catalog .] op )`: its length, and the operator alone.
fn qualified_operator(ahead: &[TokenWithSpan]) -> Option<(usize, Token)> {
    let mut at = 1;
    (ahead.get(at)?.token == Token::LParen).then_some(())?;
    at += 1;
    if is_word(&ahead.get(at)?.token, "pg_catalog") && ahead.get(at + 1)?.token == Token::Period {
        at += 2;
    }
    let operator = ahead.get(at)?.token.clone();
    (ahead.get(at + 1)?.token == Token::RParen).then_some(())?;
    (!matches!(operator, Token::Word(_) | Token::LParen)).then_some((at + 2, operator))
}

/// The text of a span.
pub(crate) fn slice(text: &str, span: Span) -> &str {
    let start = (span.start.line as usize).saturating_sub(1);
    let end = (span.end.line as usize).saturating_sub(1);
    text.get(start..end).unwrap_or_default()
}

/// The character that a span begins at, from 1; 0: unknown.
pub(crate) fn position(span: Span) -> u32 {
    u32::try_from(span.start.column).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_knows_its_byte_and_its_character() {
        let text = "select 'é',\n  x";
        let tokens = tokens(text).unwrap();
        let last = tokens.last().unwrap();
        assert_eq!(slice(text, last.span), "x");
        assert_eq!(position(last.span), 15);
    }

    #[test]
    fn strings_join_over_a_line_break_only() {
        let joined = tokens("'a'\n 'b'").unwrap();
        assert_eq!(joined.len(), 1);
        assert_eq!(joined[0].token, Token::SingleQuotedString("ab".to_owned()));
        assert_eq!(tokens("'a' 'b'").unwrap().len(), 2);
    }

    #[test]
    fn an_operator_is_the_same_with_its_schema() {
        let found = tokens("a operator(pg_catalog.~) b").unwrap();
        assert_eq!(found[1].token, Token::Tilde);
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn junk_after_a_number_is_refused() {
        let error = tokens("select 123abc").unwrap_err();
        assert_eq!(error.message, "trailing junk after numeric literal at or near \"123abc\"");
        assert_eq!(error.position, Some(8));
    }
}
