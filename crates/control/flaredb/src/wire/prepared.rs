//! Names of statements and portals, bounded in number and bytes. Rules and words are PostgreSQL's.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{SqlError, SqlState};

/// Of names that a client gives: statements that it forgets to deallocate, portals that it forgets to close.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PreparedLimits {
    pub(crate) count: usize,
    /// Of what the client sent for them, which what they hold is taken to be proportional to.
    pub(crate) bytes: usize,
}

impl Default for PreparedLimits {
    fn default() -> Self {
        Self { count: 4096, bytes: 64 << 20 }
    }
}

/// The statements and portals of one session. The empty name is the unnamed one.
#[derive(Debug)]
pub(crate) struct Prepared<S, P> {
    statements: Names<Arc<S>>,
    portals: Names<P>,
}

impl<S, P> Default for Prepared<S, P> {
    fn default() -> Self {
        Self::new(PreparedLimits::default(), PreparedLimits::default())
    }
}

impl<S, P> Prepared<S, P> {
    pub(crate) fn new(statements: PreparedLimits, portals: PreparedLimits) -> Self {
        Self { statements: Names::new(statements), portals: Names::new(portals) }
    }

    /// The statement of a name (26000).
    pub(crate) fn statement(&self, name: &str) -> Result<&Arc<S>, SqlError> {
        self.statements.get(name).ok_or_else(|| {
            let message = match name {
                "" => "unnamed prepared statement does not exist".to_owned(),
                _ => format!("prepared statement \"{name}\" does not exist"),
            };
            SqlError::new(SqlState::INVALID_SQL_STATEMENT_NAME, message)
        })
    }

    /// Whether a statement of this name can be prepared (42P05). The unnamed one makes way.
    pub(crate) fn vacant_statement(&self, name: &str) -> Result<(), SqlError> {
        if name.is_empty() || self.statements.get(name).is_none() {
            return Ok(());
        }
        let message = format!("prepared statement \"{name}\" already exists");
        Err(SqlError::new(SqlState::DUPLICATE_PREPARED_STATEMENT, message))
    }

    /// Keeps a statement (42P05, 53400). `bytes`: what it was made from.
    pub(crate) fn put_statement(&mut self, name: &str, bytes: usize, statement: S) -> Result<(), SqlError> {
        self.vacant_statement(name)?;
        self.statements.put(name, bytes, Arc::new(statement), "prepared statements")
    }

    /// Forgets a statement. Its portals stay. False: there is none.
    pub(crate) fn close_statement(&mut self, name: &str) -> bool {
        self.statements.remove(name)
    }

    /// Forgets all statements that have a name, as `DEALLOCATE ALL` does.
    pub(crate) fn close_statements(&mut self) {
        self.statements.named.clear();
        self.statements.bytes = 0;
    }

    /// Names and statements, in the order of their names.
    pub(crate) fn statements(&self) -> impl Iterator<Item = (&str, &Arc<S>)> {
        self.statements.iter()
    }

    /// The portal of a name (34000), unless it is being executed.
    pub(crate) fn portal(&self, name: &str) -> Result<&P, SqlError> {
        self.portals.get(name).ok_or_else(|| no_portal(name))
    }

    /// Whether a portal of this name can be made (42P03). The unnamed one makes way.
    pub(crate) fn vacant_portal(&self, name: &str) -> Result<(), SqlError> {
        if name.is_empty() || !self.portals.named.contains_key(name) {
            return Ok(());
        }
        Err(SqlError::new(SqlState::DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists")))
    }

    /// Keeps a portal (42P03, 53400). `bytes`: what it was made from.
    pub(crate) fn put_portal(&mut self, name: &str, bytes: usize, portal: P) -> Result<(), SqlError> {
        self.vacant_portal(name)?;
        self.portals.put(name, bytes, portal, "portals")
    }

    /// Takes a portal out to execute it (34000). Its name stays taken.
    pub(crate) fn take_portal(&mut self, name: &str) -> Result<P, SqlError> {
        self.portals.slot(name).and_then(|kept| kept.what.take()).ok_or_else(|| no_portal(name))
    }

    /// Puts a portal back after it was executed, unless it was closed meanwhile.
    pub(crate) fn restore_portal(&mut self, name: &str, portal: P) {
        if let Some(kept) = self.portals.slot(name) {
            kept.what = Some(portal);
        }
    }

    /// Forgets a portal. False: there is none.
    pub(crate) fn close_portal(&mut self, name: &str) -> bool {
        self.portals.remove(name)
    }

    /// Forgets all portals, as the end of a transaction does.
    pub(crate) fn close_portals(&mut self) {
        self.portals.unnamed = None;
        self.portals.named.clear();
        self.portals.bytes = 0;
    }

    /// Forgets the unnamed statement and portal, as a simple query does.
    pub(crate) fn close_unnamed(&mut self) {
        self.statements.unnamed = None;
        self.portals.unnamed = None;
    }
}

fn no_portal(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}

#[derive(Debug)]
struct Names<T> {
    limits: PreparedLimits,
    unnamed: Option<Kept<T>>,
    named: BTreeMap<String, Kept<T>>,
    /// Of those that have a name.
    bytes: usize,
}

#[derive(Debug)]
struct Kept<T> {
    /// None: taken out.
    what: Option<T>,
    bytes: usize,
}

impl<T> Names<T> {
    fn new(limits: PreparedLimits) -> Self {
        Self { limits, unnamed: None, named: BTreeMap::new(), bytes: 0 }
    }

    fn get(&self, name: &str) -> Option<&T> {
        let kept = if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) };
        kept.and_then(|kept| kept.what.as_ref())
    }

    fn slot(&mut self, name: &str) -> Option<&mut Kept<T>> {
        if name.is_empty() { self.unnamed.as_mut() } else { self.named.get_mut(name) }
    }

    fn put(&mut self, name: &str, bytes: usize, what: T, these: &str) -> Result<(), SqlError> {
        let kept = Kept { what: Some(what), bytes };
        if name.is_empty() {
            self.unnamed = Some(kept);
            return Ok(());
        }
        let limits = self.limits;
        if self.named.len() >= limits.count || self.bytes.saturating_add(bytes) > limits.bytes {
            let message = format!("too many {these}");
            return Err(SqlError::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message)
                .with_detail(format!(
                    "A session may keep {} of them, made from {} bytes.",
                    limits.count, limits.bytes
                ))
                .with_hint("Close those that are not needed any more."));
        }
        self.bytes += bytes;
        self.named.insert(name.to_owned(), kept);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> bool {
        if name.is_empty() {
            return self.unnamed.take().is_some();
        }
        let removed = self.named.remove(name);
        self.bytes -= removed.as_ref().map_or(0, |kept| kept.bytes);
        removed.is_some()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.named.iter().filter_map(|(name, kept)| Some((name.as_str(), kept.what.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Prepared<&'static str, &'static str> {
        let limits = PreparedLimits { count: 2, bytes: 10 };
        Prepared::new(limits, limits)
    }

    fn message<T>(result: Result<T, SqlError>) -> String {
        result.err().map(|error| error.message).unwrap_or_default()
    }

    // Texts as PostgreSQL 15 gives them.
    #[test]
    fn names_that_are_missing_or_taken_are_named_in_the_error() {
        let mut prepared = small();
        assert_eq!(message(prepared.statement("")), "unnamed prepared statement does not exist");
        assert_eq!(message(prepared.statement("a")), "prepared statement \"a\" does not exist");
        assert_eq!(message(prepared.portal("")), "portal \"\" does not exist");
        prepared.put_statement("a", 1, "A").unwrap();
        prepared.put_portal("p", 1, "P").unwrap();
        assert_eq!(message(prepared.put_statement("a", 1, "B")), "prepared statement \"a\" already exists");
        assert_eq!(message(prepared.put_portal("p", 1, "Q")), "cursor \"p\" already exists");
        assert_eq!((**prepared.statement("a").unwrap(), *prepared.portal("p").unwrap()), ("A", "P"));
    }

    #[test]
    fn the_unnamed_ones_make_way_and_do_not_count() {
        let mut prepared = small();
        for what in ["A", "B", "C"] {
            prepared.put_statement("", 100, what).unwrap();
            prepared.put_portal("", 100, what).unwrap();
        }
        assert_eq!(**prepared.statement("").unwrap(), "C");
        prepared.close_unnamed();
        assert!(prepared.statement("").is_err() && prepared.portal("").is_err());
    }

    #[test]
    fn number_and_bytes_are_bounded_and_given_back() {
        let mut prepared = small();
        prepared.put_statement("a", 4, "").unwrap();
        assert_eq!(message(prepared.put_statement("b", 7, "")), "too many prepared statements");
        prepared.put_statement("b", 6, "").unwrap();
        assert_eq!(message(prepared.put_statement("c", 0, "")), "too many prepared statements");
        assert!(prepared.close_statement("b") && !prepared.close_statement("b"));
        prepared.put_statement("c", 6, "").unwrap();
        assert_eq!(prepared.statements().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "c"]);
        prepared.close_statements();
        prepared.put_statement("d", 10, "").unwrap();
    }

    #[test]
    fn a_portal_that_runs_keeps_its_name_until_it_is_closed() {
        let mut prepared = small();
        prepared.put_portal("p", 1, "P").unwrap();
        let taken = prepared.take_portal("p").unwrap();
        assert!(prepared.portal("p").is_err() && prepared.take_portal("p").is_err());
        assert!(prepared.put_portal("p", 1, "Q").is_err());
        prepared.restore_portal("p", taken);
        assert_eq!(prepared.take_portal("p"), Ok("P"));
        prepared.close_portals();
        prepared.restore_portal("p", "P");
        assert!(prepared.portal("p").is_err(), "the transaction has ended");
    }
}
