//! Snapshots for everybody who only reads: connections that are lent out and come back.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::EngineError;
use super::budget::Budget;
use super::open::{Purpose, open};
use crate::base::Evaluation;
use crate::pgcat::Sight;

/// Connections that are kept while nobody needs them.
const IDLE: usize = 8;

/// The readers of a database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Readers(Arc<Mutex<Pool>>);

struct Pool {
    /// Rises when another file takes the database's place.
    generation: u64,
    path: PathBuf,
    vfs: Option<String>,
    idle: Vec<Reader>,
}

/// A connection, for one at a time.
pub(crate) struct Reader {
    generation: u64,
    pub(crate) connection: Connection,
    pub(crate) evaluation: Evaluation,
    pub(crate) budget: Budget,
    /// What functions that look into the catalogue see.
    pub(crate) sight: Sight,
}

impl Reader {
    /// From now on it sees the database as it is at this moment. The catalogue's version there.
    pub(crate) fn pin(&self) -> rusqlite::Result<u64> {
        self.connection.prepare_cached("BEGIN")?.raw_execute()?;
        self.version()
    }

    /// The entry that changed the database last, as the snapshot has it.
    pub(crate) fn changed(&self) -> rusqlite::Result<u64> {
        let mut query = self.connection.prepare_cached("SELECT changed FROM uc_state")?;
        query.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    }

    /// The catalogue's version.
    pub(crate) fn version(&self) -> rusqlite::Result<u64> {
        let mut query = self.connection.prepare_cached("SELECT catalog FROM uc_state")?;
        query.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    }
}

impl Readers {
    /// Of this file.
    pub(crate) fn new(path: PathBuf, vfs: Option<String>) -> Self {
        Self(Arc::new(Mutex::new(Pool { generation: 0, path, vfs, idle: Vec::new() })))
    }

    /// A connection without a snapshot yet.
    pub(crate) fn take(&self) -> Result<Reader, EngineError> {
        let (generation, path, vfs) = {
            let mut pool = self.lock();
            if let Some(reader) = pool.idle.pop() {
                return Ok(reader);
            }
            (pool.generation, pool.path.clone(), pool.vfs.clone())
        };
        let (evaluation, budget) = (Evaluation::default(), Budget::default());
        let mut connection = open(&path, vfs.as_deref(), Purpose::Read, &evaluation)?;
        budget.watch(&mut connection)?;
        let sight = Sight::default();
        crate::pgcat::register(&connection, &sight)?;
        Ok(Reader { generation, connection, evaluation, budget, sight })
    }

    /// Takes one back. Its snapshot ends.
    pub(crate) fn give_back(&self, reader: Reader) {
        let ended = reader.connection.is_autocommit() || reader.connection.execute_batch("ROLLBACK").is_ok();
        reader.budget.allow_all();
        reader.budget.begin();
        let mut pool = self.lock();
        if ended && reader.generation == pool.generation && pool.idle.len() < IDLE {
            pool.idle.push(reader);
        }
    }

    /// Another file has taken the database's place: what was lent out of the old one is not lent again.
    pub(crate) fn move_to(&self, path: PathBuf) {
        let mut pool = self.lock();
        pool.generation += 1;
        pool.path = path;
        pool.idle.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
