//! PostgreSQL's dialect as sqlparser knows it, with what it gets wrong mended: precedences of prefix operators and
//! regular expressions, `ISNULL`, `BETWEEN SYMMETRIC`. It refuses nothing by itself.

use std::any::TypeId;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    ObjectNamePart, UnaryOperator,
};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Word};

/// The name under which `BETWEEN SYMMETRIC` comes out of the parser; no identifier can hold its first character.
pub(crate) const BETWEEN_SYMMETRIC: &str = "\0between symmetric";

/// Signs bind tighter than `^`, `AT TIME ZONE` and `COLLATE`, looser than `[ ]` and `::`.
const SIGN: u8 = 125;
/// Other operators, regular expressions among them.
const OTHER: u8 = 70;
const BETWEEN: u8 = 60;
const IS: u8 = 40;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Postgres(PostgreSqlDialect);

impl Dialect for Postgres {
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::Minus => Some(sign(parser, UnaryOperator::Minus)),
            Token::Plus => Some(sign(parser, UnaryOperator::Plus)),
            Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_) => {
                Some(parser.parse_value().map(Expr::Value))
            }
            Token::Word(word) if word.keyword == Keyword::NoKeyword => plain_word(parser),
            Token::LBrace | Token::Colon => {
                Some(parser.expected_ref("an expression", parser.peek_token_ref()))
            }
            _ => None,
        }
    }

    fn parse_infix(
        &self,
        parser: &mut Parser,
        expr: &Expr,
        _precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        if is_word(&parser.peek_token_ref().token, "isnull") {
            parser.advance_token();
            return Some(Ok(Expr::IsNull(Box::new(expr.clone()))));
        }
        let negated = usize::from(is_word(&parser.peek_token_ref().token, "not"));
        let symmetric = is_word(&parser.peek_nth_token_ref(negated).token, "between")
            && is_word(&parser.peek_nth_token_ref(negated + 1).token, "symmetric");
        symmetric.then(|| {
            (0..negated + 2).for_each(|_| parser.advance_token());
            between_symmetric(parser, expr.clone(), negated == 1)
        })
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::Tilde
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::DoubleTilde
            | Token::DoubleTildeAsterisk
            | Token::ExclamationMarkDoubleTilde
            | Token::ExclamationMarkDoubleTildeAsterisk => Some(Ok(OTHER)),
            // None of these is an operator of PostgreSQL's.
            Token::ExclamationMark | Token::DoubleEq | Token::Spaceship => Some(Ok(self.prec_unknown())),
            Token::Word(Word { keyword: Keyword::OPERATOR, .. }) => Some(Ok(OTHER)),
            Token::Word(Word {
                keyword:
                    Keyword::XOR
                    | Keyword::DIV
                    | Keyword::REGEXP
                    | Keyword::RLIKE
                    | Keyword::GLOB
                    | Keyword::MATCH
                    | Keyword::MEMBER,
                ..
            }) => Some(Ok(self.prec_unknown())),
            token if is_word(token, "isnull") => Some(Ok(IS)),
            _ => self.0.get_next_precedence(parser),
        }
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        self.0.is_reserved_for_identifier(keyword)
    }

    fn is_table_alias(&self, keyword: &Keyword, parser: &mut Parser) -> bool {
        self.0.is_table_alias(keyword, parser)
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        self.0.is_delimited_identifier_start(c)
    }

    fn is_identifier_start(&self, c: char) -> bool {
        self.0.is_identifier_start(c)
    }

    fn is_identifier_part(&self, c: char) -> bool {
        self.0.is_identifier_part(c)
    }

    fn is_custom_operator_part(&self, c: char) -> bool {
        self.0.is_custom_operator_part(c)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        self.0.prec_value(precedence)
    }

    fn is_interval_qualifier(&self, keyword: Keyword) -> bool {
        self.0.is_interval_qualifier(keyword)
    }

    fn is_custom_type_typed_string(&self, first: Keyword, qualified: bool) -> bool {
        self.0.is_custom_type_typed_string(first, qualified)
    }

    fn supports_cte_materialization(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_string_literal_column_alias(&self, _explicit: bool) -> bool {
        false
    }

    fn supports_string_literal_table_alias(&self, _explicit: bool) -> bool {
        false
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_comparison_in_between_low_bound(&self) -> bool {
        false
    }

    fn supports_named_fn_args_with_assignment_operator(&self) -> bool {
        true
    }

    fn supports_empty_projections(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    fn supports_order_by_using_operator(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        false
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_interval_options(&self) -> bool {
        true
    }

    fn supports_insert_table_alias(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_table_inheritance_markers(&self) -> bool {
        true
    }
}

/// Whether it is this word, not quoted. The word is in lower case.
pub(crate) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

fn sign(parser: &mut Parser, op: UnaryOperator) -> Result<Expr, ParserError> {
    parser.advance_token();
    Ok(Expr::UnaryOp { op, expr: Box::new(parser.parse_subexpr(SIGN)?) })
}

/// A word that is no keyword begins a name or a call, unless a string follows, which makes it a type. Knowing that
/// saves sqlparser's trying.
fn plain_word(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    match &parser.peek_nth_token_ref(1).token {
        Token::LParen => {
            let call = parser.parse_identifier().and_then(|name| parser.parse_function(name.into()));
            Some(call)
        }
        Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::DollarQuotedString(_) => None,
        _ => Some(parser.parse_identifier().map(Expr::Identifier)),
    }
}

fn between_symmetric(parser: &mut Parser, expr: Expr, negated: bool) -> Result<Expr, ParserError> {
    let low = parser.parse_subexpr(BETWEEN)?;
    parser.expect_keyword_is(Keyword::AND)?;
    let high = parser.parse_subexpr(BETWEEN)?;
    let call = call(BETWEEN_SYMMETRIC, vec![expr, low, high]);
    Ok(if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(call) } } else { call })
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
