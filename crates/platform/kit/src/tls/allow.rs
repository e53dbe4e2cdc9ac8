//! Allow-lists: which SPIFFE paths a listener takes in, or a caller wants to meet.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::spiffe::{SpiffeId, is_segment};

/// Patterns over SPIFFE paths, such as `node/*/chainfire`: `*` stands for exactly one segment. The trust
/// domain is always our own. An empty list admits nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct AllowList(Vec<String>);

/// A pattern that could never match, or not what its author meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an allow pattern: write a SPIFFE path without its trust domain, where `*` stands for one whole segment, such as `node/*/chainfire`"
)]
pub struct AllowListError(String);

impl AllowList {
    /// A list of patterns.
    pub fn new<P: Into<String>>(patterns: impl IntoIterator<Item = P>) -> Result<Self, AllowListError> {
        let patterns: Vec<String> = patterns.into_iter().map(Into::into).collect();
        let well_formed = |pattern: &String| pattern.split('/').all(|s| s == "*" || is_segment(s));
        match patterns.iter().find(|p| !well_formed(p)) {
            Some(bad) => Err(AllowListError(bad.clone())),
            None => Ok(Self(patterns)),
        }
    }

    /// Whether a pattern admits the path of `id`. Says nothing about its trust domain.
    pub fn admits(&self, id: &SpiffeId) -> bool {
        self.0.iter().any(|pattern| matches(pattern, id.path()))
    }

    /// Whether nobody is admitted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(w), Some(g)) if w == "*" || w == g => {}
            _ => return false,
        }
    }
}

impl TryFrom<Vec<String>> for AllowList {
    type Error = AllowListError;

    fn try_from(patterns: Vec<String>) -> Result<Self, AllowListError> {
        Self::new(patterns)
    }
}

impl From<AllowList> for Vec<String> {
    fn from(list: AllowList) -> Self {
        list.0
    }
}

impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("nobody") } else { f.write_str(&self.0.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(patterns: &[&str], path: &str) -> bool {
        let id = format!("spiffe://lab/{path}").parse().expect("good id");
        AllowList::new(patterns.iter().copied()).expect("good patterns").admits(&id)
    }

    #[test]
    fn a_star_is_exactly_one_segment() {
        assert!(admits(&["node/*/chainfire"], "node/node01/chainfire"));
        assert!(!admits(&["node/*/chainfire"], "node/node01/flaredb"));
        assert!(!admits(&["node/*"], "node/node01/chainfire"));
        assert!(!admits(&["node/*/*"], "node/node01"));
        assert!(admits(&["operator/*", "node/*/*"], "operator/admin"));
    }

    #[test]
    fn an_empty_list_admits_nobody() {
        assert!(!admits(&[], "operator/admin"));
        assert_eq!(AllowList::default().to_string(), "nobody");
    }

    #[test]
    fn patterns_that_would_surprise_are_refused() {
        for bad in ["", "/node", "node/", "node/**", "node/n*", "spiffe://lab/node/*", "node/../x"] {
            assert!(AllowList::new([bad]).is_err(), "{bad} was accepted");
        }
    }
}
