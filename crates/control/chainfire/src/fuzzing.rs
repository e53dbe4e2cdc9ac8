//! What the fuzz targets of `fuzz/` call, and the ordinary tests with the corpus that is kept there. Not
//! part of any build but those two.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use kit::Context;
use prost::Message;
use sha2::{Digest, Sha256};

pub use crate::auth::fuzzing::token;
pub use crate::machine::fuzzing::log;

use crate::api::{new_watcher, split};
use crate::auth::{Accounts, Credentials, Guard};
use crate::convert::{Checks, address_of_url, url_of_address};
use crate::machine::fuzzing::{travels, with_history};
use crate::machine::{Reader, decode_reply, is_read_only, read_txn};
use crate::proto::authpb::permission::Type as Access;
use crate::proto::authpb::{Permission, UserAddOptions};
use crate::proto::etcdserverpb::watch_request::RequestUnion;
use crate::proto::etcdserverpb::{
    AuthEnableRequest, AuthRoleAddRequest, AuthRoleGrantPermissionRequest, AuthUserAddRequest,
    AuthUserGrantRoleRequest, DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest, WatchRequest,
    WatchResponse,
};
use crate::proto::internal::auth_command::Change;
use crate::proto::internal::command::Operation;
use crate::proto::internal::image_record::Record;
use crate::proto::internal::{ImageEnd, ImageRecord, LeaderAnswer, LeaderCall};
use crate::store::{ImageSummary, Store, StoreOptions, check_image, restore_image};
use crate::watch::{Content, Hub, Session, SessionLimits};

/// Pieces of an input: two bytes of length, big-endian, whose highest bit is a flag, and so many bytes.
pub(crate) fn chunks(mut input: &[u8]) -> Vec<(&[u8], bool)> {
    let mut chunks = Vec::new();
    while let Some((length, rest)) = input.split_first_chunk() {
        let length = u16::from_be_bytes(*length);
        let (chunk, rest) = rest.split_at(rest.len().min(usize::from(length & 0x7fff)));
        chunks.push((chunk, length & 0x8000 != 0));
        input = rest;
    }
    chunks
}

/// All of a store as an image.
pub(crate) fn exported(store: &Store) -> Vec<u8> {
    let mut image = Vec::new();
    store.export().read_to_end(&mut image).expect("what was taken can be given");
    image
}

/// A snapshot's image, which is a backup, too: refused, or taken and given again, and then taken by another replica
/// as the same; whatever is taken also passes the check of backups, and is restored ahead of where it ended.
///
/// The first byte is 0 for bytes as they come. Otherwise the records of an image follow, as [`chunks`], and
/// are put between checksums that are right; 2 also adds the end that they need.
pub fn image(context: &Context, input: &[u8]) {
    let Some((how, rest)) = input.split_first() else { return };
    let bytes = if *how == 0 { rest.to_vec() } else { framed(rest, *how == 2) };
    let store = Store::open_in(context, Path::new("/first"), StoreOptions::default()).expect("a fresh disk");
    let position = Bytes::from_static(b"position");
    let checked = check_image(&mut &bytes[..]);
    if store.import(&mut &bytes[..], &position).is_err() {
        return;
    }
    let checked = checked.expect("what is taken passes the check");
    restored(context, &bytes, &checked, &position);
    let given = exported(&store);
    let other = Store::open_in(context, Path::new("/other"), StoreOptions::default()).expect("a fresh disk");
    other.import(&mut &given[..], &position).expect("what one replica gives, another takes");
    assert_eq!(exported(&other), given);
}

fn restored(context: &Context, bytes: &[u8], checked: &ImageSummary, position: &Bytes) {
    const BUMP: u64 = 1000;
    let dir = Path::new("/restored");
    context.disk().create_dir_all(dir).expect("a fresh disk");
    let revision = match restore_image(context, dir, &mut &bytes[..], checked, (BUMP, position.clone())) {
        Ok(revision) => revision,
        // There is no room ahead.
        Err(e) => return assert!(checked.revision > i64::MAX - BUMP.cast_signed(), "{e}"),
    };
    let store = Store::open_in(context, dir, StoreOptions::default()).expect("what was restored");
    assert_eq!((store.view().head(), store.compacted()), (revision, checked.revision + BUMP.cast_signed()));
    assert_eq!(store.position().as_ref(), Some(position));
}

fn framed(input: &[u8], ended: bool) -> Vec<u8> {
    let mut image = crate::store::MAGIC.to_vec();
    let mut record = |bytes: &[u8]| {
        image.extend((bytes.len() as u32).to_be_bytes());
        image.extend(crc32c::crc32c(bytes).to_be_bytes());
        image.extend_from_slice(bytes);
    };
    let mut end = ImageEnd::default();
    for (bytes, _) in chunks(input) {
        record(bytes);
        if let Ok(ImageRecord { record: Some(Record::Part(part)) }) = ImageRecord::decode(bytes) {
            end.leases += part.leases.len() as u64;
            end.events += part.events.len() as u64;
            end.records += part.records.len() as u64;
        }
    }
    if ended {
        record(&ImageRecord { record: Some(Record::End(end)) }.encode_to_vec());
    }
    image.resize(image.len().next_multiple_of(512), 0);
    let hash = Sha256::digest(&image);
    image.extend(hash);
    image
}

/// A store with some history, to ask.
pub struct Asked {
    store: Arc<Store>,
    hub: Arc<Hub>,
    accounts: Accounts,
}

impl Asked {
    /// A fresh one. `alice` may read `a` to `c` and write `b`.
    pub fn new(context: &Context) -> Self {
        let store = with_history(context);
        Self { hub: Hub::new(&store), store, accounts: accounts() }
    }

    /// A client's request, its kind by the first byte: refused, or carried out as far as one member can.
    pub fn request(&self, input: &[u8]) {
        let Some((kind, rest)) = input.split_first() else { return };
        let bytes = Bytes::copy_from_slice(rest);
        match kind % 9 {
            0 => self.range(bytes),
            1 => self.txn(bytes),
            2 => self.watch(rest),
            3 => put(bytes),
            4 => delete(bytes),
            5 => {
                let _ = decode_reply(bytes);
            }
            6 => {
                let _ = (LeaderCall::decode(bytes.clone()), LeaderAnswer::decode(bytes));
            }
            7 => fragments(rest),
            _ => url(&String::from_utf8_lossy(rest)),
        }
    }

    fn range(&self, bytes: Bytes) {
        let Ok(request) = RangeRequest::decode(bytes) else { return };
        if Checks::range(&request).is_err() {
            return;
        }
        let view = self.store.view();
        let Ok(answer) = Reader::new(&view, view.head(), self.store.compacted()).range(&request) else {
            return;
        };
        assert!(answer.kvs.len() as i64 <= answer.count);
        assert!(request.limit <= 0 || answer.kvs.len() as i64 <= request.limit);
    }

    fn txn(&self, bytes: Bytes) {
        let Ok(request) = TxnRequest::decode(bytes) else { return };
        if (Checks { txn_operations: 128 }).txn(&request).is_err() {
            return;
        }
        for user in ["", "root", "alice"] {
            let who = Credentials { user: user.into(), revision: self.accounts.revision };
            let _ = Guard::new(&self.accounts, &who).txn(&request, &|lease| self.store.attached(lease));
        }
        if is_read_only(&request) {
            let _ = read_txn(&self.store.view(), self.store.compacted(), &request);
        }
        travels(Operation::Txn(request));
    }

    fn watch(&self, input: &[u8]) {
        let limits = SessionLimits { watchers: 8, buffered_bytes: 4096 };
        let mut session = Session::new(self.hub.clone(), self.store.clone(), limits);
        for (bytes, look_around) in chunks(input) {
            match WatchRequest::decode(bytes).ok().and_then(|request| request.request_union) {
                Some(RequestUnion::CreateRequest(create)) => session.create(new_watcher(create)),
                Some(RequestUnion::CancelRequest(cancel)) => session.cancel(cancel.watch_id),
                Some(RequestUnion::ProgressRequest(_)) => session.request_progress(),
                None => {}
            }
            if look_around {
                session.look_around();
            }
            assert!(session.watchers() <= limits.watchers);
        }
        loop {
            while let Some(notice) = session.next() {
                let Content::Events(events, _) = notice.content else { continue };
                let in_order = events.is_sorted_by(|a, b| a.revision < b.revision);
                assert!(in_order && !events.is_empty(), "watcher {} hears {events:?}", notice.id);
            }
            if !session.is_behind() {
                break;
            }
            session.catch_up().expect("an intact store");
        }
    }
}

fn accounts() -> Accounts {
    let permission = |key: &'static str, end: &'static str, access: Access| {
        let perm = Permission { key: key.into(), range_end: end.into(), perm_type: access.into() };
        Change::RoleGrantPermission(AuthRoleGrantPermissionRequest { name: "r".into(), perm: Some(perm) })
    };
    let user = |name: &str| {
        let options = Some(UserAddOptions { no_password: true });
        Change::UserAdd(AuthUserAddRequest { name: name.into(), options, ..Default::default() })
    };
    let grant = |user: &str, role: &str| {
        Change::UserGrantRole(AuthUserGrantRoleRequest { user: user.into(), role: role.into() })
    };
    let mut accounts = Accounts::default();
    for change in [
        user("root"),
        grant("root", "root"),
        Change::RoleAdd(AuthRoleAddRequest { name: "r".into() }),
        permission("a", "d", Access::Read),
        permission("b", "", Access::Write),
        user("alice"),
        grant("alice", "r"),
        Change::Enable(AuthEnableRequest {}),
    ] {
        accounts.change(&change).expect("a good change");
    }
    accounts
}

fn put(bytes: Bytes) {
    let Ok(request) = PutRequest::decode(bytes) else { return };
    if Checks::put(&request).is_ok() {
        travels(Operation::Put(request));
    }
}

fn delete(bytes: Bytes) {
    let Ok(request) = DeleteRangeRequest::decode(bytes) else { return };
    if Checks::delete_range(&request).is_ok() {
        travels(Operation::DeleteRange(request));
    }
}

fn url(text: &str) {
    if let Some(address) = address_of_url(text) {
        assert_eq!(address_of_url(&url_of_address(&address, true)), Some(address));
    }
}

/// A response to a watcher that asked for fragments: the parts make the whole.
fn fragments(input: &[u8]) {
    let Some((limit, rest)) = input.split_first_chunk() else { return };
    let Ok(whole) = WatchResponse::decode(rest) else { return };
    let parts = split(whole.clone(), u16::from_be_bytes(*limit).into());
    let events: Vec<_> = parts.into_iter().flat_map(|part| part.events).collect();
    assert_eq!(events, whole.events);
}

#[cfg(test)]
mod tests {
    use sim::{SimNode, corpus};

    use super::*;

    fn context() -> Context {
        SimNode::new(0, "fuzz").context()
    }

    #[test]
    fn the_corpus_of_images_holds() {
        corpus::replay("image", |input| image(&context(), input));
    }

    #[test]
    fn the_corpus_of_logs_holds() {
        corpus::replay("log", |input| log(&context(), input));
    }

    #[test]
    fn the_corpus_of_requests_holds() {
        let asked = Asked::new(&context());
        corpus::replay("request", |input| asked.request(input));
    }

    #[test]
    fn the_corpus_of_tokens_holds() {
        corpus::replay("token", token);
    }
}
