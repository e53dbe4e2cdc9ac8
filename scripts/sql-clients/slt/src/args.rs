//! What the command line says.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Which writer of sqllogictest files the files come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// One row a line, values as PostgreSQL writes them, label `postgresql`.
    Postgresql,
    /// SQLite's own files: one value a line, values by the type letter, label `sqlite`.
    Sqlite,
}

/// Runs sqllogictest files against a server that speaks PostgreSQL's protocol.
#[derive(Clone, Debug, Parser)]
#[command(name = "slt-runner")]
pub(crate) struct Args {
    /// Name or address of the server.
    #[arg(long, env = "PGHOST", default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// Port of the server.
    #[arg(long, env = "PGPORT", default_value_t = 5432)]
    pub(crate) port: u16,
    /// Role to log in as.
    #[arg(long, env = "PGUSER", default_value = "postgres")]
    pub(crate) user: String,
    /// Password of the role.
    #[arg(long, env = "PGPASSWORD", default_value = "", hide_env_values = true)]
    pub(crate) password: String,
    /// Database to use.
    #[arg(long, env = "PGDATABASE", default_value = "postgres")]
    pub(crate) db: String,
    /// Certificate file (PEM) that the server's must be signed by; without it there is no TLS.
    #[arg(long, env = "PGSSLROOTCERT")]
    pub(crate) root_cert: Option<PathBuf>,
    /// Who wrote the files.
    #[arg(long, value_enum, default_value_t = Dialect::Postgresql)]
    pub(crate) dialect: Dialect,
    /// Goes on with a file after a record that failed.
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Drops every table, view and sequence of schema public before each file (default of the sqlite dialect).
    #[arg(long)]
    pub(crate) clean: bool,
    /// Seconds that one record may take.
    #[arg(long, default_value_t = 60)]
    pub(crate) timeout: u64,
    /// Failures that are shown of each file.
    #[arg(long, default_value_t = 20)]
    pub(crate) show: usize,
    /// Files, or directories whose *.test and *.slt files are run, at any depth.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
}
