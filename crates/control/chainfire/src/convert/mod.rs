//! Between etcd's protocol and ours: what is refused at the door, and in which words.

mod check;
mod error;
mod url;

pub(crate) use check::Checks;
pub(crate) use error::Rejection;
pub(crate) use url::{address_of_url, url_of_address};
