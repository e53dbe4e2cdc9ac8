//! Conversations with a fake session, as a client has them. What PostgreSQL says in them was seen at PostgreSQL 15.

mod copy;
mod ending;
mod extended;
mod login;
mod query;
mod startup;
mod talk;
mod tls;
