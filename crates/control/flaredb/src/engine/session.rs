//! What a transaction has changed, for replicas that did not carry it out: SQLite's session extension.
//!
//! rusqlite's wrapper cannot record tables without a declared key, nor apply without foreign keys acting again, so
//! four functions are called directly.

#![expect(unsafe_code, reason = "SQLite's C interface, whose wrapper lacks two switches")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use rusqlite::{Connection, Error, ffi};

use super::tables::is_ours;

/// Records changes of users' tables until it is dropped. It must go before its connection does.
pub(crate) struct Recorder(*mut ffi::sqlite3_session);

// SAFETY: SQLite binds a session to its connection, not to a thread; whoever holds both uses one at a time.
unsafe impl Send for Recorder {}

impl Recorder {
    /// Begins to record.
    pub(crate) fn begin(connection: &Connection) -> rusqlite::Result<Self> {
        let mut session = ptr::null_mut();
        // SAFETY: the handle is that of an open connection; what is created is freed in `drop`.
        unsafe {
            check(ffi::sqlite3session_create(connection.handle(), c"main".as_ptr(), &raw mut session))?;
            let recorder = Self(session);
            let mut on: c_int = 1;
            let rows = ffi::SQLITE_SESSION_OBJCONFIG_ROWID;
            check(ffi::sqlite3session_object_config(session, rows, (&raw mut on).cast()))?;
            ffi::sqlite3session_table_filter(session, Some(is_users), ptr::null_mut());
            check(ffi::sqlite3session_attach(session, ptr::null()))?;
            Ok(recorder)
        }
    }

    /// The changes so far; empty if there are none.
    pub(crate) fn changeset(&self) -> rusqlite::Result<Vec<u8>> {
        let (mut size, mut buffer) = (0, ptr::null_mut());
        // SAFETY: SQLite gives a buffer of `size` bytes that is ours to free.
        unsafe {
            check(ffi::sqlite3session_changeset(self.0, &raw mut size, &raw mut buffer))?;
            let bytes = match usize::try_from(size) {
                Ok(size) if size > 0 => std::slice::from_raw_parts(buffer.cast::<u8>(), size).to_vec(),
                _ => Vec::new(),
            };
            ffi::sqlite3_free(buffer);
            Ok(bytes)
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // SAFETY: it was created here and is not used again.
        unsafe { ffi::sqlite3session_delete(self.0) }
    }
}

/// Carries out recorded changes. The number of those that met other rows than they were made on: on a replica that
/// has not diverged there are none.
pub(crate) fn apply(connection: &Connection, changeset: &[u8]) -> rusqlite::Result<u64> {
    let size = c_int::try_from(changeset.len())
        .map_err(|_| Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None))?;
    let mut conflicts = 0u64;
    // SAFETY: SQLite only reads the buffer; the counter outlives the call.
    unsafe {
        check(ffi::sqlite3changeset_apply_v2(
            connection.handle(),
            size,
            changeset.as_ptr().cast_mut().cast(),
            None,
            Some(count),
            (&raw mut conflicts).cast(),
            ptr::null_mut(),
            ptr::null_mut(),
            // What a foreign key did is among the changes.
            ffi::SQLITE_CHANGESETAPPLY_FKNOACTION,
        ))?;
    }
    Ok(conflicts)
}

unsafe extern "C" fn is_users(_: *mut c_void, table: *const c_char) -> c_int {
    // SAFETY: SQLite gives a name that ends with a NUL.
    let table = unsafe { CStr::from_ptr(table) };
    c_int::from(!is_ours(&table.to_string_lossy()))
}

unsafe extern "C" fn count(
    conflicts: *mut c_void,
    _kind: c_int,
    _change: *mut ffi::sqlite3_changeset_iter,
) -> c_int {
    // SAFETY: it is the counter of the call under way.
    unsafe { *conflicts.cast::<u64>() += 1 };
    ffi::SQLITE_CHANGESET_OMIT
}

fn check(code: c_int) -> rusqlite::Result<()> {
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}

/// How many deferred foreign keys refer to nothing at this moment.
pub(crate) fn dangling(connection: &Connection) -> rusqlite::Result<bool> {
    let (mut now, mut high) = (0, 0);
    // SAFETY: the handle is that of an open connection.
    unsafe {
        let handle = connection.handle();
        check(ffi::sqlite3_db_status(
            handle,
            ffi::SQLITE_DBSTATUS_DEFERRED_FKS,
            &raw mut now,
            &raw mut high,
            0,
        ))?;
    }
    Ok(now != 0)
}
