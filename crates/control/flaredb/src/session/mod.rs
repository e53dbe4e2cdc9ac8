//! What one client has: settings, a transaction, statements.

mod settings;
