//! The engine of the runner: one connection that uses the simple protocol only.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::args::{Args, Dialect};
use crate::format;

/// Type letters of the query that runs now; empty for a statement.
pub(crate) type Expected = Arc<Mutex<Vec<DefaultColumnType>>>;

/// What a server, or the way to it, refused: `SQLSTATE: message`.
#[derive(Debug, Clone)]
pub(crate) struct DbError {
    state: Option<String>,
    message: String,
}

impl std::fmt::Display for DbError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.state {
            Some(state) => write!(f, "{state}: {}", self.message),
            None => write!(f, "connection: {}", self.message),
        }
    }
}

impl std::error::Error for DbError {}

impl DbError {
    fn local(message: impl ToString) -> Self {
        Self { state: None, message: message.to_string() }
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => Self { state: Some(db.code().code().to_owned()), message: db.message().to_owned() },
            None => Self::local(error),
        }
    }
}

/// One connection to the server.
pub(crate) struct Engine {
    client: Client,
    dialect: Dialect,
    expected: Expected,
    timeout: Duration,
}

impl Engine {
    /// Connects as the arguments say; the error says why it could not.
    pub(crate) async fn connect(args: Args, expected: Expected) -> Result<Self, DbError> {
        let mut config = tokio_postgres::Config::new();
        config.host(&args.host).port(args.port).user(&args.user).password(&args.password);
        config.dbname(&args.db).application_name("slt-runner");
        let client = match &args.root_cert {
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                tokio::spawn(connection);
                client
            }
            Some(path) => {
                config.ssl_mode(tokio_postgres::config::SslMode::Require);
                let (client, connection) = config.connect(tls(path)?).await?;
                tokio::spawn(connection);
                client
            }
        };
        Ok(Self { client, dialect: args.dialect, expected, timeout: Duration::from_secs(args.timeout) })
    }

    fn text(&self, value: Option<&str>, column: usize) -> String {
        let kind = self.expected.lock().ok().and_then(|types| types.get(column).cloned());
        match self.dialect {
            Dialect::Postgresql => format::postgresql(value),
            Dialect::Sqlite => format::sqlite(value, &kind.unwrap_or(DefaultColumnType::Text)),
        }
    }
}

fn tls(path: &std::path::Path) -> Result<MakeRustlsConnect, DbError> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(DbError::local)? {
        roots.add(certificate.map_err(DbError::local)?).map_err(DbError::local)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(DbError::local)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[async_trait]
impl AsyncDB for Engine {
    type Error = DbError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, DbError> {
        let asked = tokio::time::timeout(self.timeout, self.client.simple_query(sql)).await;
        let messages = asked.map_err(|_| DbError::local("no answer in time"))??;
        let (mut rows, mut width, mut count) = (Vec::new(), None, 0);
        for message in &messages {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    width = Some(columns.len());
                    rows.clear();
                }
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|at| self.text(row.get(at), at)).collect());
                }
                SimpleQueryMessage::CommandComplete(done) => count = *done,
                _ => {}
            }
        }
        Ok(match width {
            Some(width) => DBOutput::Rows { types: vec![DefaultColumnType::Any; width], rows },
            None => DBOutput::StatementComplete(count),
        })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        match self.dialect {
            Dialect::Postgresql => "postgresql",
            Dialect::Sqlite => "sqlite",
        }
    }

    async fn sleep(dur: Duration) {
        tokio::time::sleep(dur).await;
    }

    fn error_sql_state(error: &DbError) -> Option<String> {
        error.state.clone()
    }
}
