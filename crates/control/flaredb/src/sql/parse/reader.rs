//! Reads the tokens of one statement: by PostgreSQL's own grammar where that is short, and through sqlparser for
//! queries, expressions and types.

use crate::base::SqlError;
use sqlparser::ast::{DataType, Expr, Ident, Query};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use super::dialect::{Postgres, is_word};
use super::syntax;
use super::tokens::{position, slice};
use crate::sql::names::{self, Name};

/// Deeper than the token check lets anything be.
const RECURSION: usize = 4_000;

/// A cursor over a statement's tokens.
pub(crate) struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a>,
}

impl<'a> Reader<'a> {
    /// Over these tokens of the text.
    pub(crate) fn new(dialect: &'a Postgres, text: &'a str, tokens: Vec<TokenWithSpan>) -> Self {
        let parser = Parser::new(dialect).with_recursion_limit(RECURSION).with_tokens_with_locations(tokens);
        Self { text, parser }
    }

    /// The whole string that the statement stands in.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// The next token.
    pub(crate) fn peek(&self) -> &TokenWithSpan {
        self.parser.peek_token_ref()
    }

    /// The one after so many.
    pub(crate) fn peek_nth(&self, n: usize) -> &Token {
        &self.parser.peek_nth_token_ref(n).token
    }

    /// Where the next token stands, in characters from 1.
    pub(crate) fn position(&self) -> u32 {
        position(self.peek().span)
    }

    /// Whether nothing is left.
    pub(crate) fn at_end(&self) -> bool {
        self.peek().token == Token::EOF
    }

    /// Takes the next token.
    pub(crate) fn take(&mut self) -> TokenWithSpan {
        self.parser.next_token()
    }

    /// That the next token is not what may stand here.
    pub(crate) fn unexpected(&self) -> SqlError {
        let token = self.peek();
        syntax::near(self.text, (token.token != Token::EOF).then_some(token))
    }

    /// Whether the next word is this one.
    pub(crate) fn sees(&self, word: &str) -> bool {
        is_word(&self.peek().token, word)
    }

    /// Whether the next words are these.
    pub(crate) fn sees_all(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(n, word)| is_word(self.peek_nth(n), word))
    }

    /// Takes the words, if they are next.
    pub(crate) fn accept(&mut self, words: &[&str]) -> bool {
        let next = self.sees_all(words);
        if next {
            words.iter().for_each(|_| self.parser.advance_token());
        }
        next
    }

    /// Takes one of these words, if it is next, and tells which.
    pub(crate) fn accept_any<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        let found = words.iter().find(|word| self.sees(word)).copied();
        if found.is_some() {
            self.parser.advance_token();
        }
        found
    }

    /// Takes the words, which must be next.
    pub(crate) fn expect(&mut self, words: &[&str]) -> Result<(), SqlError> {
        words.iter().try_for_each(|word| if self.accept(&[word]) { Ok(()) } else { Err(self.unexpected()) })
    }

    /// Takes the token, if it is next.
    pub(crate) fn accept_token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    /// Takes the token, which must be next.
    pub(crate) fn expect_token(&mut self, token: &Token) -> Result<(), SqlError> {
        if self.accept_token(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// That nothing is left.
    pub(crate) fn expect_end(&self) -> Result<(), SqlError> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// A name as it was written.
    pub(crate) fn ident(&mut self) -> Result<Ident, SqlError> {
        match &self.peek().token {
            Token::Word(word) => {
                let ident = Ident {
                    value: word.value.clone(),
                    quote_style: word.quote_style,
                    span: self.peek().span,
                };
                self.parser.advance_token();
                Ok(ident)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A name, folded; words that PostgreSQL reserves are none.
    pub(crate) fn name(&mut self) -> Result<String, SqlError> {
        let Token::Word(word) = &self.peek().token else { return Err(self.unexpected()) };
        if word.quote_style.is_none() && names::is_reserved(&word.value) {
            return Err(self.unexpected());
        }
        self.any_name()
    }

    /// A name, folded, of whatever word.
    pub(crate) fn any_name(&mut self) -> Result<String, SqlError> {
        self.ident().map(|ident| names::folded(&ident))
    }

    /// A name that may have a schema before it.
    pub(crate) fn qualified(&mut self) -> Result<Name, SqlError> {
        let at = self.position();
        let first = self.name()?;
        if !self.accept_token(&Token::Period) {
            return Ok(Name { schema: None, name: first, at });
        }
        let second = self.any_name()?;
        if !self.accept_token(&Token::Period) {
            return Ok(Name { schema: Some(first), name: second, at });
        }
        // The database before the schema: which one it is, is seen to elsewhere.
        let third = self.any_name()?;
        Ok(Name { schema: Some(second), name: third, at })
    }

    /// Some of these, with commas between them.
    pub(crate) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let mut items = vec![item(self)?];
        while self.accept_token(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Some of these, in parentheses.
    pub(crate) fn in_parentheses<T>(
        &mut self,
        item: impl FnMut(&mut Self) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        self.expect_token(&Token::LParen)?;
        let items = self.list(item)?;
        self.expect_token(&Token::RParen)?;
        Ok(items)
    }

    /// A string constant.
    pub(crate) fn string(&mut self) -> Result<String, SqlError> {
        let text = match &self.peek().token {
            Token::SingleQuotedString(text)
            | Token::EscapedStringLiteral(text)
            | Token::UnicodeStringLiteral(text) => text.clone(),
            Token::DollarQuotedString(text) => text.value.clone(),
            _ => return Err(self.unexpected()),
        };
        self.parser.advance_token();
        Ok(text)
    }

    /// An integer with its sign, if one is next.
    pub(crate) fn accept_integer(&mut self) -> Result<Option<i64>, SqlError> {
        let sign = match self.peek().token {
            Token::Minus => Some(-1),
            Token::Plus => Some(1),
            _ => None,
        };
        let number = match self.peek_nth(usize::from(sign.is_some())) {
            Token::Number(digits, _) => digits.clone(),
            _ => return Ok(None),
        };
        if sign.is_some() {
            self.parser.advance_token();
        }
        let signed = if sign == Some(-1) { format!("-{number}") } else { number };
        let value = signed.parse().map_err(|_| self.unexpected())?;
        self.parser.advance_token();
        Ok(Some(value))
    }

    /// An integer with its sign.
    pub(crate) fn integer(&mut self) -> Result<i64, SqlError> {
        match self.accept_integer()? {
            Some(value) => Ok(value),
            None => Err(self.unexpected()),
        }
    }

    /// An expression.
    pub(crate) fn expr(&mut self) -> Result<Expr, SqlError> {
        self.through(|parser| parser.parse_expr())
    }

    /// An expression as may stand before another word of a column's definition.
    pub(crate) fn b_expr(&mut self) -> Result<Expr, SqlError> {
        self.through(|parser| parser.parse_subexpr(40))
    }

    /// A query.
    pub(crate) fn query(&mut self) -> Result<Box<Query>, SqlError> {
        self.through(|parser| parser.parse_query())
    }

    /// A type.
    pub(crate) fn data_type(&mut self) -> Result<DataType, SqlError> {
        self.through(|parser| parser.parse_data_type())
    }

    /// Whatever sqlparser reads.
    pub(crate) fn through<T>(
        &mut self,
        read: impl FnOnce(&mut Parser<'a>) -> Result<T, ParserError>,
    ) -> Result<T, SqlError> {
        read(&mut self.parser).map_err(|error| syntax::of_parser(self.text, &error))
    }

    /// Where the next token begins, in bytes of the text.
    pub(crate) fn byte(&self) -> usize {
        match self.peek() {
            TokenWithSpan { token: Token::EOF, .. } => self.text.len(),
            token => (token.span.start.line as usize).saturating_sub(1),
        }
    }

    /// The text from that byte up to the next token, without blanks at its end.
    pub(crate) fn text_from(&self, byte: usize) -> &'a str {
        // The end of the token before, not the start of the next: comments between them are left out.
        let end = self.parser.get_current_index();
        let end = self.parser.token_at(end).span.end.line as usize;
        self.text.get(byte..end.saturating_sub(1)).unwrap_or_default()
    }

    /// Skips what is left.
    pub(crate) fn skip_rest(&mut self) {
        while !self.at_end() {
            self.parser.advance_token();
        }
    }

    /// The text of a span.
    pub(crate) fn slice(&self, span: Span) -> &'a str {
        slice(self.text, span)
    }
}
