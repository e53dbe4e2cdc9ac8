//! What goes through the log: rows that change, and definitions.

use std::sync::Arc;

use rusqlite::types::{Value, ValueRef};

use super::execute::Done;
use super::read::Rows;
use super::{Session, Work, explain};
use crate::base::catalog::CatalogChange;
use crate::base::{SqlError, SqlState};
use crate::engine::parameters;
use crate::proto::log::{self, Evaluation, Failure, Guard, Write, write};
use crate::sql::plan::{Class, Ddl, Plan};
use crate::wire::{Tag, Verifier};

/// Steps of SQLite's machine that one statement may take: some minutes.
const BUDGET: u64 = 20_000_000_000;

impl Session {
    /// Carries out a statement that may change rows: by itself, or in the block. What it is of: whether rows come
    /// back, and the table.
    pub(super) async fn write_rows(
        &mut self,
        plan: &Plan,
        sql: &str,
        values: Vec<Value>,
        (returning, table): (bool, Option<u32>),
        alone: bool,
    ) -> Result<(Rows, u64), SqlError> {
        let rows = parameters(values.iter().map(ValueRef::from));
        let statement = log::Statement { sql: sql.to_owned(), rows: rows.into(), count: 1, returning };
        let done = self.written(plan, write::Body::Statement(statement), table, alone).await?;
        for moved in &done.sequences {
            self.sequences.insert(moved.sequence, moved.last);
            self.last_sequence = Some(moved.sequence);
        }
        Ok((Rows { bytes: done.rows.to_vec(), count: done.count }, done.affected))
    }

    async fn written(
        &mut self,
        plan: &Plan,
        body: write::Body,
        table: Option<u32>,
        alone: bool,
    ) -> Result<log::Done, SqlError> {
        let mut write = self.envelope(plan.catalog_version, body);
        let catalog = self.catalog();
        if alone && self.block.is_none() {
            if self.parameters.is_on("default_transaction_read_only") {
                let message = "cannot execute this statement in a read-only transaction";
                return Err(SqlError::new(SqlState::READ_ONLY_SQL_TRANSACTION, message));
            }
            self.parameters.get("flaredb.idempotency_key").clone_into(&mut write.key);
            let (outcome, _) = self.replica.write(write).await?;
            return outcome.map_err(|failure| explain::explain(failure, &catalog, table));
        }
        self.open_implicit();
        self.begin_writing().await?;
        let Some(block) = &self.block else { return Err(lost()) };
        let Work::Writing(transaction) = &block.work else { return Err(lost()) };
        let limit = self.parameters.time("statement_timeout");
        let mut running = std::pin::pin!(transaction.write(write));
        let outcome = tokio::select! {
            biased;
            outcome = &mut running => outcome,
            _ = self.control.until_stopped() => {
                transaction.stop().await;
                running.await
            }
            () = over(limit) => {
                transaction.stop().await;
                running.await
            }
        };
        outcome.map_err(|failure| explain::explain(failure, &catalog, table))
    }

    fn envelope(&self, catalog: u64, body: write::Body) -> Write {
        let entropy = self.replica.context().entropy();
        let mut id = [0; 16];
        entropy.fill(&mut id);
        let zone = match self.settings.time_zone_name.as_str() {
            "UTC" => String::new(),
            name => name.to_owned(),
        };
        let evaluation = Evaluation { now: self.statement_time(), seed: entropy.next_u64(), zone };
        Write {
            id: id.to_vec().into(),
            evaluation: Some(evaluation),
            catalog,
            budget: BUDGET,
            key: String::new(),
            body: Some(body),
        }
    }

    /// Carries out a definition.
    pub(super) async fn define(
        &mut self,
        plan: &Plan,
        ddl: &Ddl,
        alone: bool,
    ) -> Result<Option<Done>, SqlError> {
        self.acknowledged(ddl)?;
        self.notices.extend(ddl.notices.iter().cloned());
        if ddl.changes.is_empty() && ddl.statements.is_empty() {
            return Ok(Done::of(ddl.tag));
        }
        let changes = self.with_passwords(ddl)?;
        let guards = match &ddl.class {
            Class::Guarded { proofs } => proofs
                .iter()
                .map(|proof| Guard { sql: proof.sql.clone(), refusal: Some(as_failure(&proof.error)) })
                .collect(),
            Class::Additive | Class::Destructive { .. } => Vec::new(),
        };
        let json = |change| serde_json::to_string(change).unwrap_or_default();
        let body = log::Ddl {
            guards,
            statements: ddl.statements.clone(),
            changes: changes.iter().map(json).collect(),
            next_oid: ddl.next_oid,
        };
        let done = self.written(plan, write::Body::Ddl(body), None, alone).await?;
        let after = self.catalog();
        if let Some(block) = &mut self.block {
            block.catalog = Some(Arc::new(after.after(&changes, ddl.next_oid)));
        } else {
            // What comes next here is planned with it.
            self.replica.be_current(crate::replica::Level::Strict).await?;
        }
        if ddl.rows {
            return Ok(Some(Done { rows: None, tag: Tag::counted("SELECT", done.affected) }));
        }
        Ok(Done::of(ddl.tag))
    }

    /// What destroys something must be named by `flaredb.acknowledge`.
    fn acknowledged(&self, ddl: &Ddl) -> Result<(), SqlError> {
        let Class::Destructive { objects } = &ddl.class else { return Ok(()) };
        let told = self.parameters.get("flaredb.acknowledge");
        let named: Vec<&str> = told.split(',').map(str::trim).collect();
        let missing: Vec<&str> =
            objects.iter().map(String::as_str).filter(|object| !named.contains(object)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("{} would destroy {}", ddl.tag, missing.join(", "));
        Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
            .with_detail("What destroys rows is only done for who says so.")
            .with_hint(format!("SET flaredb.acknowledge = '{}', and repeat it.", objects.join(", "))))
    }

    /// The changes with verifiers in the place of passwords, which nobody keeps.
    fn with_passwords(&self, ddl: &Ddl) -> Result<Vec<CatalogChange>, SqlError> {
        let mut changes = ddl.changes.clone();
        for (name, password) in &ddl.passwords {
            let verifier = match Verifier::parse(password) {
                Some(_) => password.clone(),
                None => {
                    let mut salt = [0; 16];
                    self.replica.context().entropy().fill(&mut salt);
                    Verifier::of_password(password, &salt, crate::wire::ITERATIONS)?.to_string()
                }
            };
            for change in &mut changes {
                if let CatalogChange::PutRole(role) = change
                    && role.name == *name
                {
                    role.verifier = Some(verifier.clone());
                }
            }
        }
        Ok(changes)
    }
}

/// Never, if nothing is told.
async fn over(limit: Option<std::time::Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

fn lost() -> SqlError {
    SqlError::new(SqlState::INTERNAL_ERROR, "the transaction has no writer")
}

fn as_failure(error: &SqlError) -> Failure {
    Failure {
        state: error.state.to_string(),
        message: error.message.clone(),
        detail: error.detail.clone().unwrap_or_default(),
        hint: error.hint.clone().unwrap_or_default(),
        sqlite: 0,
    }
}
