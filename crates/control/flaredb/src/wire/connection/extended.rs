//! The extended protocol: Parse, Bind, Describe, Execute, Close, Flush. Sync is the loop's.

use crate::base::{SqlError, SqlState};

use super::Connection;
use crate::wire::client::Client;
use crate::wire::message::{
    Bind, Execute, Field, Formats, Parse, Target, nothing, row_description, violation,
};
use crate::wire::session::{Binding, Completion, Session, Status};

impl<S: Session> Connection<'_, S> {
    pub(super) async fn extended(&mut self, tag: u8, body: &[u8]) -> Result<(), SqlError> {
        match tag {
            b'P' => self.parse(body).await,
            b'B' => self.bind(body).await,
            b'D' => match Target::decode(body, "DESCRIBE")? {
                Target::Statement(name) => self.describe_statement(name),
                Target::Portal(name) => self.describe_portal(name),
            },
            b'E' => self.execute(body).await,
            b'C' => self.close(body),
            b'H' => {
                nothing(body)?;
                self.client.flush().await
            }
            _ => Err(violation(format!("invalid frontend message type {tag}"))),
        }
    }

    async fn parse(&mut self, body: &[u8]) -> Result<(), SqlError> {
        let Parse { name, sql, types } = Parse::decode(body)?;
        if name.is_empty() {
            self.session.prepared().close_statement("");
        }
        self.session.prepared().vacant_statement(name)?;
        let statement = self.session.parse(sql, &types, &mut self.client).await?;
        self.session.prepared().put_statement(name, body.len(), statement)?;
        self.client.output.short(b'1', |_| ());
        Ok(())
    }

    async fn bind(&mut self, body: &[u8]) -> Result<(), SqlError> {
        let Bind { portal: name, statement: of, parameters, results } = Bind::decode(body)?;
        let statement = self.session.prepared().statement(of)?.clone();
        let description = self.session.describe(&statement)?;
        let (given, required) = (parameters.len(), description.parameters.len());
        if given != required {
            return Err(violation(format!(
                "bind message supplies {given} parameters, but prepared statement \"{of}\" requires {required}"
            )));
        }
        if let Some(columns) = description.fields.map(<[Field]>::len) {
            results.check(columns, |formats| {
                format!("bind message has {formats} result formats but query has {columns} columns")
            })?;
        }
        self.session.prepared().vacant_portal(name)?;
        let binding = Binding { parameters, results };
        let portal = self.session.bind(&statement, binding, &mut self.client).await?;
        self.session.prepared().put_portal(name, body.len(), portal)?;
        self.client.output.short(b'2', |_| ());
        Ok(())
    }

    fn describe_statement(&mut self, name: &str) -> Result<(), SqlError> {
        let statement = self.session.prepared().statement(name)?.clone();
        let description = self.session.describe(&statement)?;
        let rows = description.fields.map(|fields| (fields, &Formats::TEXT));
        may_describe(self.session.status(), rows.is_some())?;
        self.client.output.message(b't', |out| {
            let count = u16::try_from(description.parameters.len());
            let count = count.map_err(|_| violation("too many parameters"))?;
            out.extend_from_slice(&count.to_be_bytes());
            out.extend(description.parameters.iter().flat_map(|ty| ty.to_be_bytes()));
            Ok(())
        })?;
        put_rows(&mut self.client, rows)
    }

    fn describe_portal(&mut self, name: &str) -> Result<(), SqlError> {
        let portal = self.session.prepared().take_portal(name)?;
        let status = self.session.status();
        let described = self.session.describe_portal(&portal).and_then(|rows| {
            may_describe(status, rows.is_some())?;
            put_rows(&mut self.client, rows)
        });
        self.session.prepared().restore_portal(name, portal);
        described
    }

    async fn execute(&mut self, body: &[u8]) -> Result<(), SqlError> {
        let Execute { portal: name, max_rows } = Execute::decode(body)?;
        let mut portal = self.session.prepared().take_portal(name)?;
        match self.session.execute(&mut portal, max_rows, &mut self.client).await {
            Ok(completion) => {
                self.session.prepared().restore_portal(name, portal);
                match completion {
                    Completion::Done(tag) => self.client.complete(tag),
                    Completion::Empty => self.client.empty(),
                    Completion::Suspended => self.client.output.short(b's', |_| ()),
                }
                Ok(())
            }
            Err(error) => {
                self.session.prepared().close_portal(name);
                Err(error)
            }
        }
    }

    fn close(&mut self, body: &[u8]) -> Result<(), SqlError> {
        match Target::decode(body, "CLOSE")? {
            Target::Statement(name) => self.session.prepared().close_statement(name),
            Target::Portal(name) => self.session.prepared().close_portal(name),
        };
        self.client.output.short(b'3', |_| ());
        Ok(())
    }
}

/// In a failed transaction nothing is told about rows: their types might have to be looked up.
fn may_describe(status: Status, gives_rows: bool) -> Result<(), SqlError> {
    if status != Status::Failed || !gives_rows {
        return Ok(());
    }
    let message = "current transaction is aborted, commands ignored until end of transaction block";
    Err(SqlError::new(SqlState::IN_FAILED_SQL_TRANSACTION, message))
}

/// A RowDescription, or that there is none.
fn put_rows(client: &mut Client, rows: Option<(&[Field], &Formats)>) -> Result<(), SqlError> {
    match rows {
        Some((fields, formats)) => client.output.message(b'T', |out| row_description(out, fields, formats)),
        None => {
            client.output.short(b'n', |_| ());
            Ok(())
        }
    }
}
