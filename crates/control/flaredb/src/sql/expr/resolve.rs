//! Which of several functions or operators of a name is meant (PostgreSQL's documentation, 10.2 and 10.3).

use crate::base::rules::{CastContext, Function, Gives, Operator, Pattern};
use crate::base::{Element, Type};

use super::coerce::can;
use crate::sql::types::{category, is_preferred};

/// A row of the tables, as far as its arguments go.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<T: 'static> {
    pub(crate) row: &'static T,
    /// What each argument must be, those of `anyelement` and `anyarray` already told from the arguments.
    pub(crate) wants: Vec<Want>,
    /// What `anyelement` is.
    pub(crate) element: Option<Element>,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Exact(Type),
    /// Whatever it is.
    Any,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Resolved<T: 'static> {
    One(Candidate<T>),
    None,
    Ambiguous,
}

/// Those that take so many arguments, of these types.
pub(crate) fn candidates_of(functions: &'static [Function], types: &[Type]) -> Vec<Candidate<Function>> {
    functions
        .iter()
        .filter_map(|row| {
            let patterns = patterns(row, types.len())?;
            let (wants, element) = wanted(&patterns, types)?;
            Some(Candidate { row, wants, element })
        })
        .collect()
}

/// A pattern for each argument; none: it takes another number of them.
fn patterns(row: &Function, count: usize) -> Option<Vec<Pattern>> {
    let fixed = row.arguments.len();
    if count > fixed {
        let more = row.variadic?;
        let rest = std::iter::repeat_n(more, count - fixed);
        return Some(row.arguments.iter().copied().chain(rest).collect());
    }
    (count + row.optional >= fixed).then(|| row.arguments[..count].to_vec())
}

/// The operators with these patterns.
pub(crate) fn candidates_of_operator(rows: &'static [Operator], types: &[Type]) -> Vec<Candidate<Operator>> {
    rows.iter()
        .filter_map(|row| {
            let patterns: Vec<Pattern> = row.left.into_iter().chain([row.right]).collect();
            if patterns.len() != types.len() {
                return None;
            }
            let (wants, element) = wanted(&patterns, types)?;
            Some(Candidate { row, wants, element })
        })
        .collect()
}

/// Patterns as types, if the arguments agree on what the polymorphic ones are.
fn wanted(patterns: &[Pattern], types: &[Type]) -> Option<(Vec<Want>, Option<Element>)> {
    let mut element = None;
    let mut polymorphic = false;
    for (pattern, ty) in patterns.iter().zip(types) {
        let found = match (pattern, ty) {
            (Pattern::AnyElement, Type::Scalar(Element::Unknown))
            | (Pattern::AnyArray, Type::Scalar(Element::Unknown)) => {
                polymorphic = true;
                continue;
            }
            (Pattern::AnyElement, Type::Scalar(found)) => *found,
            (Pattern::AnyArray, ty) => ty.element()?,
            (Pattern::AnyElement, _) => return None,
            _ => continue,
        };
        polymorphic = true;
        element = Some(match element {
            None => found,
            Some(so_far) => agreed(so_far, found)?,
        });
    }
    // PostgreSQL takes what nobody decided for text where the elements are plain.
    let element = if polymorphic { element.or(Some(Element::Text)) } else { None };
    let wants = patterns
        .iter()
        .map(|pattern| match pattern {
            Pattern::Exact(ty) => Some(Want::Exact(*ty)),
            Pattern::AnyElement => element.map(|element| Want::Exact(Type::Scalar(element))),
            Pattern::AnyArray => element.map(|element| Want::Exact(Type::Array(element))),
            Pattern::Any => Some(Want::Any),
        })
        .collect::<Option<Vec<_>>>()?;
    Some((wants, element))
}

/// `anyelement` of two types: the same, or the one that the other widens to.
fn agreed(a: Element, b: Element) -> Option<Element> {
    let (from, to) = (Type::Scalar(a), Type::Scalar(b));
    if a == b || can(to, from, CastContext::Implicit) {
        Some(a)
    } else if can(from, to, CastContext::Implicit) {
        Some(b)
    } else {
        None
    }
}

/// The type that a row gives.
pub(crate) fn given(gives: Gives, element: Option<Element>) -> Type {
    let element = element.unwrap_or(Element::Text);
    match gives {
        Gives::Exact(ty) => ty,
        Gives::Element => Type::Scalar(element),
        Gives::Array => Type::Array(element),
    }
}

/// Chooses among the candidates.
pub(crate) fn choose<T>(candidates: Vec<Candidate<T>>, types: &[Type]) -> Resolved<T> {
    if let Some(exact) = candidates.iter().position(|candidate| is_exact(candidate, types)) {
        return Candidates(candidates).take(exact);
    }
    let possible: Vec<Candidate<T>> =
        candidates.into_iter().filter(|candidate| is_possible(candidate, types)).collect();
    if possible.len() <= 1 {
        return Candidates(possible).only();
    }
    let best = keep_best(possible, |candidate| count(candidate, types, |ty, want| ty == want));
    if best.len() == 1 {
        return Candidates(best).only();
    }
    let best = keep_best(best, |candidate| {
        count(candidate, types, |ty, want| {
            ty == want || (category(ty) == category(want) && is_preferred(want))
        })
    });
    if best.len() == 1 {
        return Candidates(best).only();
    }
    by_unknowns(best, types)
}

struct Candidates<T: 'static>(Vec<Candidate<T>>);

impl<T> Candidates<T> {
    fn take(mut self, place: usize) -> Resolved<T> {
        Resolved::One(self.0.swap_remove(place))
    }

    fn only(mut self) -> Resolved<T> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some(candidate), true) => Resolved::One(candidate),
            (Some(_), false) => Resolved::Ambiguous,
            (None, _) => Resolved::None,
        }
    }
}

fn is_exact<T>(candidate: &Candidate<T>, types: &[Type]) -> bool {
    candidate.wants.iter().zip(types).all(|(want, ty)| match want {
        Want::Exact(want) => want == ty,
        Want::Any => *ty != Type::UNKNOWN,
    })
}

fn is_possible<T>(candidate: &Candidate<T>, types: &[Type]) -> bool {
    candidate.wants.iter().zip(types).all(|(want, ty)| match want {
        Want::Exact(want) => can(*ty, *want, CastContext::Implicit),
        Want::Any => true,
    })
}

/// How many arguments of known type fit.
fn count<T>(candidate: &Candidate<T>, types: &[Type], fits: impl Fn(Type, Type) -> bool) -> usize {
    let known = candidate.wants.iter().zip(types).filter(|(_, ty)| **ty != Type::UNKNOWN);
    known.filter(|(want, ty)| matches!(want, Want::Exact(want) if fits(**ty, *want))).count()
}

fn keep_best<T>(candidates: Vec<Candidate<T>>, score: impl Fn(&Candidate<T>) -> usize) -> Vec<Candidate<T>> {
    let best = candidates.iter().map(&score).max().unwrap_or(0);
    candidates.into_iter().filter(|candidate| score(candidate) == best).collect()
}

/// By what the candidates want where nothing is known: strings first, then the category that all agree on, then
/// the type that the known arguments have.
fn by_unknowns<T>(candidates: Vec<Candidate<T>>, types: &[Type]) -> Resolved<T> {
    let unknown: Vec<usize> = (0..types.len()).filter(|place| types[*place] == Type::UNKNOWN).collect();
    if unknown.is_empty() {
        return Resolved::Ambiguous;
    }
    let mut left = candidates.clone_rows();
    let mut resolved = true;
    for place in &unknown {
        match preferred_category(&candidates, *place) {
            Some(chosen) => left.retain(|candidate| fits_category(candidate, *place, &chosen)),
            None => resolved = false,
        }
    }
    if resolved && left.len() == 1 {
        return Candidates(left).only();
    }
    let rest = if resolved && !left.is_empty() { left } else { candidates };
    by_known(rest, types)
}

/// What an undecided argument is taken for: a category, and whether only its preferred type.
struct Chosen {
    category: char,
    preferred: bool,
}

fn preferred_category<T>(candidates: &[Candidate<T>], place: usize) -> Option<Chosen> {
    let wants: Vec<Type> = candidates
        .iter()
        .filter_map(|candidate| match candidate.wants[place] {
            Want::Exact(ty) => Some(ty),
            Want::Any => None,
        })
        .collect();
    let first = category(*wants.first()?);
    let category = if wants.iter().any(|ty| category(*ty) == 'S') {
        'S'
    } else if wants.iter().all(|ty| category(*ty) == first) {
        first
    } else {
        return None;
    };
    let preferred = wants.iter().any(|ty| self::category(*ty) == category && is_preferred(*ty));
    Some(Chosen { category, preferred })
}

use crate::sql::types::category as category_of;

fn fits_category<T>(candidate: &Candidate<T>, place: usize, chosen: &Chosen) -> bool {
    match candidate.wants[place] {
        Want::Any => true,
        Want::Exact(ty) => category_of(ty) == chosen.category && (!chosen.preferred || is_preferred(ty)),
    }
}

/// If all that is known is of one type, so may be what is not.
fn by_known<T>(candidates: Vec<Candidate<T>>, types: &[Type]) -> Resolved<T> {
    let mut known = types.iter().filter(|ty| **ty != Type::UNKNOWN);
    let Some(first) = known.next() else { return Resolved::Ambiguous };
    if !known.all(|ty| ty == first) {
        return Resolved::Ambiguous;
    }
    let assumed = vec![*first; types.len()];
    let fitting = candidates.into_iter().filter(|candidate| is_possible(candidate, &assumed)).collect();
    match Candidates(fitting).only() {
        Resolved::None => Resolved::Ambiguous,
        resolved => resolved,
    }
}

trait CloneRows {
    fn clone_rows(&self) -> Self;
}

impl<T> CloneRows for Vec<Candidate<T>> {
    fn clone_rows(&self) -> Self {
        self.iter()
            .map(|candidate| Candidate {
                row: candidate.row,
                wants: candidate.wants.clone(),
                element: candidate.element,
            })
            .collect()
    }
}
