//! What is in the messages: of clients, to be read from exactly their bytes; and for clients, to be written.

mod backend;
mod formats;
mod frontend;
mod reader;
mod report;

pub(crate) use backend::{Field, Tag};
pub(crate) use formats::{Format, Formats, Parameter, Parameters};
pub(crate) use report::Severity;

pub(crate) use backend::{copy_response, negotiation, put_text, row_description};
pub(crate) use frontend::{Bind, Execute, Parse, Target, copy_fail, limit, nothing, query};
pub(crate) use reader::{Reader, utf8, violation};
pub(crate) use report::{ends_connection, report};
