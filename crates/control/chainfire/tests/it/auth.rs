//! Users, roles and permissions, as the crate `etcd-client` and raw requests see them.

use std::time::Duration;

use chainfire::proto::etcdserverpb::auth_client::AuthClient;
use chainfire::proto::etcdserverpb::kv_client::KvClient;
use chainfire::proto::etcdserverpb::{AuthStatusRequest, AuthenticateRequest, PutRequest, RangeRequest};
use etcd_client::{
    Client, Compare, CompareOp, ConnectOptions, DeleteOptions, GetOptions, LeaseTimeToLiveOptions,
    Permission, PutOptions, RoleRevokePermissionOptions, Txn, TxnOp, UserAddOptions, WatchOptions,
};
use tonic::{Code, Request};

use crate::world::{World, refusal};

async fn world() -> World {
    World::with(|config| config.auth.bcrypt_cost = 4).await
}

async fn client(world: &World, user: &str, password: &str) -> Result<Client, etcd_client::Error> {
    let options = ConnectOptions::new().with_user(user, password);
    Client::connect([format!("http://{}", world.address())], Some(options)).await
}

/// root (password "r") and alice ("a"), who may read and write what begins with `alice/` and read `shared`.
async fn guarded() -> (World, Client, Client) {
    let world = world().await;
    let mut nobody = world.client().await;
    nobody.user_add("root", "r", None).await.unwrap();
    nobody.user_grant_role("root", "root").await.unwrap();
    nobody.user_add("alice", "a", None).await.unwrap();
    nobody.role_add("alices").await.unwrap();
    let own = Permission::read_write("alice/").with_prefix();
    nobody.role_grant_permission("alices", own).await.unwrap();
    nobody.role_grant_permission("alices", Permission::read("shared")).await.unwrap();
    nobody.user_grant_role("alice", "alices").await.unwrap();
    nobody.auth_enable().await.unwrap();
    let root = client(&world, "root", "r").await.unwrap();
    let alice = client(&world, "alice", "a").await.unwrap();
    (world, root, alice)
}

const DENIED: (Code, &str) = (Code::PermissionDenied, "etcdserver: permission denied");
const NOBODY: (Code, &str) = (Code::InvalidArgument, "etcdserver: user name is empty");

fn is<T>(outcome: Result<T, etcd_client::Error>, expected: (Code, &str)) {
    let (code, text) = refusal(outcome);
    assert_eq!((code, text.as_str()), expected);
}

#[tokio::test]
async fn a_user_reaches_its_own_keys_and_no_others() {
    let (world, mut root, mut alice) = guarded().await;
    root.put("shared", "s", None).await.unwrap();
    root.put("secret", "x", None).await.unwrap();
    alice.put("alice/1", "v", None).await.unwrap();
    assert_eq!(alice.get("shared", None).await.unwrap().count(), 1);
    assert_eq!(alice.get("alice/", Some(GetOptions::new().with_prefix())).await.unwrap().count(), 1);
    is(alice.put("shared", "v", None).await, DENIED);
    is(alice.get("secret", None).await, DENIED);
    is(alice.get("secret", Some(GetOptions::new().with_serializable())).await, DENIED);
    is(alice.get("alice/", Some(GetOptions::new().with_range("alice1"))).await, DENIED);
    is(alice.get("", Some(GetOptions::new().with_all_keys())).await, DENIED);
    is(alice.delete("shared", None).await, DENIED);
    is(alice.delete("", Some(DeleteOptions::new().with_all_keys())).await, DENIED);
    let mut nobody = world.client().await;
    is(nobody.get("shared", None).await, NOBODY);
    is(nobody.put("alice/1", "v", None).await, NOBODY);
    assert_eq!(root.get("secret", None).await.unwrap().kvs()[0].value(), b"x");
}

#[tokio::test]
async fn a_transaction_needs_what_any_part_of_it_needs() {
    let (_world, mut root, mut alice) = guarded().await;
    root.put("secret", "x", None).await.unwrap();
    let own = || TxnOp::put("alice/1", "v", None);
    alice.txn(Txn::new().and_then([own(), TxnOp::get("shared", None)])).await.unwrap();
    let compare = Txn::new().when([Compare::value("secret", CompareOp::Equal, "x")]).and_then([own()]);
    is(alice.txn(compare).await, DENIED);
    is(alice.txn(Txn::new().and_then([own()]).or_else([TxnOp::get("secret", None)])).await, DENIED);
    let inner = Txn::new().and_then([TxnOp::put("secret", "y", None)]);
    is(alice.txn(Txn::new().and_then([TxnOp::txn(inner)])).await, DENIED);
    is(alice.txn(Txn::new().and_then([TxnOp::get("secret", None)])).await, DENIED);
    assert_eq!(root.get("secret", None).await.unwrap().kvs()[0].value(), b"x");
}

#[tokio::test]
async fn a_lease_is_its_keys_owners() {
    let (world, mut root, mut alice) = guarded().await;
    let roots = root.lease_grant(1000, None).await.unwrap().id();
    root.put("secret", "x", Some(PutOptions::new().with_lease(roots))).await.unwrap();
    is(alice.lease_revoke(roots).await, DENIED);
    is(alice.put("alice/1", "v", Some(PutOptions::new().with_lease(roots))).await, DENIED);
    let put = TxnOp::put("alice/1", "v", Some(PutOptions::new().with_lease(roots)));
    is(alice.txn(Txn::new().and_then([put])).await, DENIED);
    let with_keys = || Some(LeaseTimeToLiveOptions::new().with_keys());
    is(alice.lease_time_to_live(roots, with_keys()).await, DENIED);
    is(alice.leases().await, DENIED);
    assert_eq!(root.lease_time_to_live(roots, with_keys()).await.unwrap().keys().len(), 1);
    is(alice.lease_keep_alive(roots).await.map(|_| ()), DENIED);
    is(world.client().await.lease_grant(10, None).await, NOBODY);
    let own = alice.lease_grant(1000, None).await.unwrap().id();
    alice.put("alice/1", "v", Some(PutOptions::new().with_lease(own))).await.unwrap();
    alice.lease_revoke(own).await.unwrap();
    assert_eq!(alice.get("alice/1", None).await.unwrap().count(), 0);
}

#[tokio::test]
async fn a_watch_of_what_one_may_not_read_is_cancelled_with_the_reason() {
    let (world, mut root, mut alice) = guarded().await;
    let denied = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
    for (key, options) in [("secret", None), ("alice/", Some(WatchOptions::new().with_from_key()))] {
        let mut stream = alice.watch(key, options).await.unwrap();
        let first = stream.message().await.unwrap().unwrap();
        assert!(first.canceled() && first.created());
        assert_eq!((first.watch_id(), first.cancel_reason()), (-1, denied));
    }
    let mut nobody = world.client().await.watch("shared", None).await.unwrap();
    let first = nobody.message().await.unwrap().unwrap();
    assert_eq!(
        first.cancel_reason(),
        "rpc error: code = InvalidArgument desc = etcdserver: user name is empty"
    );
    let mut own = alice.watch("shared", None).await.unwrap();
    assert!(own.message().await.unwrap().unwrap().created());
    root.put("shared", "s", None).await.unwrap();
    assert_eq!(own.message().await.unwrap().unwrap().events().len(), 1);
}

#[tokio::test]
async fn administration_is_roots() {
    let (world, mut root, mut alice) = guarded().await;
    is(alice.user_list().await, DENIED);
    is(alice.user_add("bob", "b", None).await, DENIED);
    is(alice.user_change_password("alice", "b").await, DENIED);
    is(alice.role_list().await, DENIED);
    is(alice.auth_disable().await, DENIED);
    is(alice.compact(1, None).await, DENIED);
    is(alice.member_remove(1).await, DENIED);
    is(alice.move_leader(1).await, DENIED);
    is(alice.snapshot().await.map(|_| ()), DENIED);
    is(alice.user_get("root").await, DENIED);
    is(alice.role_get("root").await, DENIED);
    let mut nobody = world.client().await;
    is(nobody.member_list().await, NOBODY);
    is(nobody.status().await, NOBODY);
    is(nobody.auth_disable().await, NOBODY);
    // What concerns oneself is open.
    assert_eq!(alice.user_get("alice").await.unwrap().roles(), ["alices"]);
    assert_eq!(alice.role_get("alices").await.unwrap().permissions().len(), 2);
    alice.member_list().await.unwrap();
    assert_eq!(root.user_list().await.unwrap().users(), ["alice", "root"]);
    let everything = root.role_add("root").await.map(|_| ());
    everything.unwrap();
    assert_eq!(root.role_get("root").await.unwrap().permissions().len(), 1);
}

#[tokio::test]
async fn refusals_about_users_have_etcds_codes_and_words() {
    let world = world().await;
    let mut c = world.client().await;
    let failed = |text| (Code::FailedPrecondition, text);
    let invalid = |text| (Code::InvalidArgument, text);
    is(c.auth_enable().await, failed("etcdserver: root user does not exist"));
    is(client(&world, "root", "r").await, failed("etcdserver: authentication is not enabled"));
    is(c.user_add("", "x", None).await, invalid("etcdserver: user name is empty"));
    c.user_add("root", "r", None).await.unwrap();
    is(c.auth_enable().await, failed("etcdserver: root user does not have root role"));
    is(c.user_add("root", "r", None).await, failed("etcdserver: user name already exists"));
    is(c.user_grant_role("root", "none").await, failed("etcdserver: role name not found"));
    is(c.user_grant_role("none", "root").await, failed("etcdserver: user name not found"));
    is(c.user_revoke_role("root", "root").await, failed("etcdserver: role is not granted to the user"));
    is(c.user_get("none").await, failed("etcdserver: user name not found"));
    is(c.user_delete("none").await, failed("etcdserver: user name not found"));
    is(c.user_change_password("none", "x").await, failed("etcdserver: user name not found"));
    is(c.role_add("").await, invalid("etcdserver: role name is empty"));
    c.role_add("r").await.unwrap();
    is(c.role_add("r").await, failed("etcdserver: role name already exists"));
    is(c.role_get("none").await, failed("etcdserver: role name not found"));
    is(c.role_delete("none").await, failed("etcdserver: role name not found"));
    let backwards = Permission::read("b").with_range_end("a");
    is(c.role_grant_permission("r", backwards).await, invalid("etcdserver: invalid auth management"));
    let none = c.role_revoke_permission("r", "k", None::<RoleRevokePermissionOptions>).await;
    is(none, failed("etcdserver: permission is not granted to the role"));
    let long = c.user_add("long", "x".repeat(73), None).await;
    is(long, (Code::Unknown, "bcrypt: password length exceeds 72 bytes"));
    c.user_add("certificate", "", Some(UserAddOptions::new().with_no_pwd())).await.unwrap();
    c.user_grant_role("root", "root").await.unwrap();
    c.auth_enable().await.unwrap();
    let wrong = invalid("etcdserver: authentication failed, invalid user ID or password");
    is(client(&world, "root", "wrong").await, wrong);
    is(client(&world, "nobody", "r").await, wrong);
    let text = "auth: authentication failed, password was given for no password user";
    is(client(&world, "certificate", "x").await, (Code::Unknown, text));
    let mut root = client(&world, "root", "r").await.unwrap();
    is(root.user_delete("root").await, invalid("etcdserver: invalid auth management"));
    is(root.user_revoke_role("root", "root").await, invalid("etcdserver: invalid auth management"));
}

/// A request with a token in the header of that name.
fn with_token<T>(message: T, header: &'static str, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(header, token.parse().unwrap());
    request
}

async fn login(world: &World, name: &str, password: &str) -> Result<String, tonic::Status> {
    let mut auth = AuthClient::connect(format!("http://{}", world.address())).await.unwrap();
    let request = AuthenticateRequest { name: name.into(), password: password.into() };
    Ok(auth.authenticate(request).await?.into_inner().token)
}

#[tokio::test]
async fn a_token_is_good_until_it_is_not() {
    let (world, mut root, _alice) = guarded().await;
    let mut kv = KvClient::connect(format!("http://{}", world.address())).await.unwrap();
    let range = || RangeRequest { key: "shared".into(), ..Default::default() };
    let token = login(&world, "alice", "a").await.unwrap();
    for header in ["token", "authorization"] {
        kv.range(with_token(range(), header, &token)).await.unwrap();
    }
    let mut refused = async |token: &str| {
        let status = kv.range(with_token(range(), "token", token)).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unauthenticated, "etcdserver: invalid auth token")
        );
    };
    let prefix = token.split_once('.').unwrap().0;
    for forged in [prefix, "", "x.1", &format!("{prefix}.1"), &format!("{prefix}.18446744073709551615")] {
        refused(forged).await;
    }
    root.user_change_password("alice", "b").await.unwrap();
    refused(&token).await;
    assert!(login(&world, "alice", "a").await.is_err(), "the old password");
    let token = login(&world, "alice", "b").await.unwrap();
    root.auth_disable().await.unwrap();
    world.client().await.auth_enable().await.unwrap();
    refused(&token).await;
    let token = login(&world, "alice", "b").await.unwrap();
    let world = world.restart().await;
    let mut kv = KvClient::connect(format!("http://{}", world.address())).await.unwrap();
    let status = kv.range(with_token(range(), "token", &token)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "what the log says again lets nobody in again");
    let again = login(&world, "alice", "b").await.unwrap();
    kv.range(with_token(range(), "token", &again)).await.unwrap();
}

#[tokio::test]
async fn users_are_there_after_a_restart_and_passwords_are_nowhere() {
    let (world, mut root, _) = guarded().await;
    root.user_add("bob", "a password to look for", None).await.unwrap();
    client(&world, "bob", "a password to look for").await.unwrap();
    let token = login(&world, "bob", "a password to look for").await.unwrap();
    world.node.store().flush().unwrap();
    let prefix = token.split_once('.').unwrap().0.as_bytes().to_vec();
    for secret in [b"a password to look for".to_vec(), prefix] {
        assert!(!anywhere(world.node_dir(), &secret), "{}", String::from_utf8_lossy(&secret));
    }
    assert!(anywhere(world.node_dir(), b"alices"), "the look finds what is there");
    let world = world.restart().await;
    let mut root = client(&world, "root", "r").await.unwrap();
    assert_eq!(root.user_list().await.unwrap().users(), ["alice", "bob", "root"]);
    let mut alice = client(&world, "alice", "a").await.unwrap();
    alice.put("alice/1", "v", None).await.unwrap();
    is(alice.put("shared", "v", None).await, DENIED);
}

fn anywhere(dir: &std::path::Path, needle: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return anywhere(&path, needle);
        }
        std::fs::read(path).unwrap().windows(needle.len()).any(|window| window == needle)
    })
}

#[tokio::test]
async fn signed_tokens_go_with_the_revision_of_the_permissions() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "of the members").unwrap();
    let token = format!("jwt,sign-method=HS256,priv-key={}", secret.display());
    let world = World::with(|config| {
        config.auth.bcrypt_cost = 4;
        config.auth.token = token;
    })
    .await;
    let mut nobody = world.client().await;
    nobody.user_add("root", "r", None).await.unwrap();
    nobody.user_grant_role("root", "root").await.unwrap();
    nobody.auth_enable().await.unwrap();
    let token = login(&world, "root", "r").await.unwrap();
    assert_eq!(token.split('.').count(), 3);
    let mut kv = KvClient::connect(format!("http://{}", world.address())).await.unwrap();
    let put = || PutRequest { key: "k".into(), value: "v".into(), ..Default::default() };
    kv.put(with_token(put(), "token", &token)).await.unwrap();
    let mut auth = AuthClient::connect(format!("http://{}", world.address())).await.unwrap();
    let status = with_token(AuthStatusRequest {}, "token", &token);
    let before = auth.auth_status(status).await.unwrap().into_inner();
    assert!(before.enabled);
    client(&world, "root", "r").await.unwrap().role_add("any").await.unwrap();
    let status = with_token(AuthStatusRequest {}, "token", &token);
    assert_eq!(auth.auth_status(status).await.unwrap().into_inner().auth_revision, before.auth_revision + 1);
    let old = kv.put(with_token(put(), "token", &token)).await.unwrap_err();
    assert_eq!(
        (old.code(), old.message()),
        (Code::InvalidArgument, "etcdserver: revision of auth store is old")
    );
    let old = kv.range(with_token(RangeRequest { key: "k".into(), ..Default::default() }, "token", &token));
    assert_eq!(old.await.unwrap_err().message(), "etcdserver: revision of auth store is old");
    let forged = kv.put(with_token(put(), "token", &token.replace('.', "..")));
    assert_eq!(forged.await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_logins_is_turned_away_and_others_are_served() {
    let (world, mut root, _) = guarded().await;
    let attempts = (0..300).map(|_| login(&world, "nobody", "x"));
    let flood = futures::future::join_all(attempts);
    let served = tokio::time::timeout(Duration::from_secs(20), async {
        for n in 0..20 {
            root.put(format!("k{n}"), "v", None).await.unwrap();
        }
    });
    let (outcomes, served) = tokio::join!(flood, served);
    served.unwrap();
    for outcome in outcomes {
        let code = outcome.unwrap_err().code();
        assert!(matches!(code, Code::InvalidArgument | Code::ResourceExhausted), "{code:?}");
    }
}
