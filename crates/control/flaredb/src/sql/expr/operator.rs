//! Operators: AND, OR and NOT, and those of the tables.

use crate::base::rules::{CastContext, Operator};
use crate::base::{SqlError, SqlState, Type};
use sqlparser::ast::{BinaryOperator, Expr, Spanned, UnaryOperator, Value};

use super::literal;
use super::resolve::{Candidate, Resolved, Want, candidates_of_operator, choose, given};
use super::typed::{Form, Typed};
use crate::sql::planner::Planner;
use crate::sql::types::{category, shown};

/// Two operands as an operator wants them, and the operator.
pub(crate) struct Operation {
    pub(crate) row: &'static Operator,
    pub(crate) left: Typed,
    pub(crate) right: Typed,
    pub(crate) result: Type,
}

impl Operation {
    /// Its SQL.
    pub(crate) fn typed(self) -> Result<Typed, SqlError> {
        let sql = fill(self.row.emit, &self.left.sql, &self.right.sql);
        let mut typed = Typed::made(sql, self.result, &[&self.left, &self.right], self.left.at)?;
        typed.not_null = self.left.not_null && self.right.not_null && is_comparison(self.row.symbol);
        Ok(typed)
    }

    /// Its SQL with another comparison of SQLite's in the place of its symbol.
    pub(crate) fn with_symbol(self, symbol: &str) -> Result<Typed, SqlError> {
        let emit = self.row.emit.replacen(&format!(" {} ", self.row.symbol), &format!(" {symbol} "), 1);
        let sql = fill(&emit, &self.left.sql, &self.right.sql);
        Typed::made(sql, Type::BOOL, &[&self.left, &self.right], self.left.at)
    }

    /// Whether both sides are compared as they are, without a conversion in the operator itself.
    pub(crate) fn is_plain(&self) -> bool {
        !self.row.emit.contains("fl_")
    }
}

fn is_comparison(symbol: &str) -> bool {
    matches!(symbol, "=" | "<>" | "<" | "<=" | ">" | ">=")
}

/// Both operands put in at once: what is put in may hold braces itself.
pub(crate) fn fill(emit: &str, left: &str, right: &str) -> String {
    let mut sql = String::with_capacity(emit.len() + left.len() + right.len());
    let mut rest = emit;
    while let Some(place) = rest.find('{') {
        let (before, from) = rest.split_at(place);
        sql.push_str(before);
        rest = if let Some(behind) = from.strip_prefix("{l}") {
            sql.push_str(left);
            behind
        } else if let Some(behind) = from.strip_prefix("{r}") {
            sql.push_str(right);
            behind
        } else {
            sql.push('{');
            &from[1..]
        };
    }
    sql.push_str(rest);
    sql
}

/// Joined by AND or OR, as a tree that is as flat as can be: SQLite bounds its depth.
pub(crate) fn balanced(parts: Vec<Typed>, word: &str) -> Result<Typed, SqlError> {
    let mut row = parts;
    while row.len() > 1 {
        let mut next = Vec::with_capacity(row.len().div_ceil(2));
        let mut parts = row.into_iter();
        while let Some(left) = parts.next() {
            match parts.next() {
                None => next.push(left),
                Some(right) => {
                    let sql = format!("({} {word} {})", left.sql, right.sql);
                    let not_null = left.not_null && right.not_null;
                    let both = Typed::made(sql, Type::BOOL, &[&left, &right], left.at)?;
                    next.push(both.never_null(not_null));
                }
            }
        }
        row = next;
    }
    Ok(row.pop().unwrap_or_else(|| Typed::plain("1", Type::BOOL, Form::Other, 0)))
}

impl Planner<'_> {
    /// An operator between two operands.
    pub(crate) fn binary(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        whole: &Expr,
    ) -> Result<Typed, SqlError> {
        match op {
            BinaryOperator::And => self.chain(whole, &BinaryOperator::And, "AND"),
            BinaryOperator::Or => self.chain(whole, &BinaryOperator::Or, "OR"),
            BinaryOperator::Overlaps => self.overlaps(left, right),
            _ => {
                let symbol = symbol(op);
                let place = |planner: &Self| planner.operator_at(left);
                let left_value = self.expr(left)?;
                let right_value = self.expr(right)?;
                if let Some(result) = self.rows(&symbol, &left_value, &right_value, left)? {
                    return Ok(result);
                }
                self.operate(&symbol, left_value, right_value)
                    .map_err(|error| if error.position.is_some() { error } else { error.at(place(self)) })
            }
        }
    }

    /// A chain of ANDs or ORs, which leans to the left and may be long.
    fn chain(&mut self, whole: &Expr, op: &BinaryOperator, word: &'static str) -> Result<Typed, SqlError> {
        let mut parts = Vec::new();
        let mut rest = whole;
        while let Expr::BinaryOp { left, op: found, right } = rest
            && found == op
        {
            parts.push(&**right);
            rest = left;
        }
        parts.push(rest);
        parts.reverse();
        let mut conditions = Vec::with_capacity(parts.len());
        for part in parts {
            conditions.push(self.condition_expr(part, word)?);
        }
        balanced(conditions, word)
    }

    /// An operator before an operand.
    pub(crate) fn unary(
        &mut self,
        op: UnaryOperator,
        operand: &Expr,
        whole: &Expr,
    ) -> Result<Typed, SqlError> {
        let symbol = match op {
            UnaryOperator::Not => {
                let value = self.condition_expr(operand, "NOT")?;
                let not_null = value.not_null;
                let negated = Typed::made(format!("(NOT {})", value.sql), Type::BOOL, &[&value], value.at)?;
                return Ok(negated.never_null(not_null));
            }
            UnaryOperator::Minus => "-",
            UnaryOperator::Plus => "+",
            UnaryOperator::BitwiseNot => "~",
            UnaryOperator::PGAbs => "@",
            UnaryOperator::PGSquareRoot => "|/",
            UnaryOperator::PGCubeRoot => "||/",
            _ => return Err(super::no_syntax(whole)),
        };
        if let (UnaryOperator::Minus, Expr::Value(value)) = (op, operand)
            && let Value::Number(digits, false) = &value.value
        {
            return literal::number(digits, true, crate::sql::parse::position(value.span));
        }
        let value = self.expr(operand)?;
        let at = value.at;
        let types = [value.ty.ty];
        match choose(candidates_of_operator(crate::functions::symbol(symbol), &types), &types) {
            Resolved::One(candidate) => {
                let value = self.wanted(value, candidate.wants[0])?;
                let result = given(candidate.row.result, candidate.element);
                let sql = fill(candidate.row.emit, "", &value.sql);
                let not_null = value.not_null;
                Ok(Typed::made(sql, result, &[&value], at)?.never_null(not_null))
            }
            other => {
                let text = format!("{symbol} {}", shown(types[0]));
                Err(not_found(&text, &other, at.saturating_sub(1)))
            }
        }
    }

    /// An operator between two values.
    pub(crate) fn operate(&mut self, symbol: &str, left: Typed, right: Typed) -> Result<Typed, SqlError> {
        self.operation(symbol, left, right)?.typed()
    }

    /// The operator that is meant, and the operands as it wants them.
    pub(crate) fn operation(
        &mut self,
        symbol: &str,
        left: Typed,
        right: Typed,
    ) -> Result<Operation, SqlError> {
        let types = [left.ty.ty, right.ty.ty];
        match resolve(symbol, types) {
            Resolved::One(candidate) => {
                let left = self.wanted(left, candidate.wants[0])?;
                let right = self.wanted(right, candidate.wants[1])?;
                let result = given(candidate.row.result, candidate.element);
                Ok(Operation { row: candidate.row, left, right, result })
            }
            unresolved => match self.joined_text(symbol, left, right)? {
                Some(operation) => Ok(operation),
                None => {
                    let text = format!("{} {symbol} {}", shown(types[0]), shown(types[1]));
                    Err(not_found(&text, &unresolved, 0))
                }
            },
        }
    }

    /// `text || anything` and the other way round: what is no text becomes one.
    fn joined_text(
        &mut self,
        symbol: &str,
        left: Typed,
        right: Typed,
    ) -> Result<Option<Operation>, SqlError> {
        let types = [left.ty.ty, right.ty.ty];
        let text = |ty: Type| ty == Type::UNKNOWN || category(ty) == 'S';
        let scalar = |ty: Type| ty.element().is_none() && ty != Type::RECORD;
        if symbol != "||" || !types.into_iter().any(text) || !types.into_iter().all(scalar) {
            return Ok(None);
        }
        let left = self.try_coerce(left, Type::TEXT, CastContext::Assignment)?;
        let right = self.try_coerce(right, Type::TEXT, CastContext::Assignment)?;
        let row = crate::functions::symbol(symbol)
            .iter()
            .find(|row| row.right == crate::base::rules::Pattern::Exact(Type::TEXT));
        Ok(match (left, right, row) {
            (Some(left), Some(right), Some(row)) => Some(Operation { row, left, right, result: Type::TEXT }),
            _ => None,
        })
    }

    /// As what resolution has found an argument to be.
    pub(crate) fn wanted(&mut self, value: Typed, want: Want) -> Result<Typed, SqlError> {
        match want {
            Want::Exact(ty) => self.implicit(value, ty),
            Want::Any => self.settled(value),
        }
    }

    /// Where the operator behind an operand stands.
    pub(crate) fn operator_at(&self, left: &Expr) -> u32 {
        let end = left.span().end;
        let from = (end.line as usize).saturating_sub(1);
        let rest = self.text.get(from..).unwrap_or_default();
        let skipped = rest.chars().take_while(|c| c.is_whitespace() || *c == ')').count();
        u32::try_from(end.column as usize + skipped).unwrap_or(0)
    }
}

/// The operator that is meant by a symbol between these types. One that is not known is taken for the other first.
pub(crate) fn resolve(symbol: &str, types: [Type; 2]) -> Resolved<Operator> {
    let rows = crate::functions::symbol(symbol);
    let assumed = match types {
        [Type::UNKNOWN, known] | [known, Type::UNKNOWN] => [known, known],
        _ => types,
    };
    let exact = |candidate: &Candidate<Operator>| {
        candidate.wants.iter().zip(&assumed).all(|(want, ty)| *want == Want::Exact(*ty))
    };
    let found = candidates_of_operator(rows, &assumed).into_iter().find(exact);
    match found {
        Some(candidate) if assumed[0] != Type::UNKNOWN => Resolved::One(candidate),
        _ => choose(candidates_of_operator(rows, &types), &types),
    }
}

/// PostgreSQL's symbol.
pub(crate) fn symbol(op: &BinaryOperator) -> String {
    match op {
        BinaryOperator::NotEq => "<>".to_owned(),
        BinaryOperator::PGCustomBinaryOperator(parts) => parts.last().cloned().unwrap_or_default(),
        BinaryOperator::Custom(symbol) if symbol == "!=" => "<>".to_owned(),
        other => other.to_string(),
    }
}

/// What PostgreSQL says of an operator that it does not find, or finds too often.
pub(crate) fn not_found<T>(text: &str, resolved: &Resolved<T>, at: u32) -> SqlError {
    let error = match resolved {
        Resolved::Ambiguous => {
            SqlError::new(SqlState::AMBIGUOUS_FUNCTION, format!("operator is not unique: {text}"))
                .with_hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
        }
        _ => SqlError::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {text}")).with_hint(
            "No operator matches the given name and argument types. You might need to add explicit type casts.",
        ),
    };
    if at == 0 { error } else { error.at(at) }
}
