//! Requests that no good client sends: etcd-shaped errors, bounded memory, nothing lost.

use std::collections::BTreeSet;
use std::time::Duration;

use chainfire::proto::etcdserverpb::auth_client::AuthClient;
use chainfire::proto::etcdserverpb::kv_client::KvClient;
use chainfire::proto::etcdserverpb::request_op::Request as Op;
use chainfire::proto::etcdserverpb::{AuthenticateRequest, PutRequest, RangeRequest, RequestOp, TxnRequest};
use chainfire::proto::v3electionpb::LeaderRequest;
use chainfire::proto::v3lockpb::LockRequest;
use etcd_client::{GetOptions, WatchOptions};
use prost::Message;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use crate::lock::queue;
use crate::process::Member;
use crate::raw::{self, call, channel_to, method, methods};
use crate::world::{SOON, World, eventually};

async fn channel(world: &World) -> Channel {
    channel_to(world).await
}

#[tokio::test]
async fn malformed_messages_are_refused_one_by_one() {
    let world = World::new().await;
    let mut client = KvClient::new(channel(&world).await);
    let nothing = TxnRequest { success: vec![RequestOp { request: None }], ..Default::default() };
    let refused = client.txn(nothing).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, "etcdserver: key not found"));
    let odd = RangeRequest { key: "k".into(), sort_target: 77, ..Default::default() };
    let refused = client.range(odd).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::InvalidArgument, "etcdserver: invalid sort option")
    );
    let put = PutRequest { key: "k".into(), ..Default::default() };
    let deep = (0..45).fold(RequestOp { request: Some(Op::RequestPut(put.clone())) }, |inner, _| {
        let txn = TxnRequest { success: vec![inner], ..Default::default() };
        RequestOp { request: Some(Op::RequestTxn(txn)) }
    });
    let refused = client.txn(TxnRequest { success: vec![deep], ..Default::default() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    client.put(put).await.unwrap();
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_before_it_is_read() {
    let world = World::new().await;
    let mut client = KvClient::new(channel(&world).await);
    let huge = PutRequest { key: "k".into(), value: vec![0; 8 << 20].into(), ..Default::default() };
    let refused = client.put(huge).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{}", refused.message());
    assert!(refused.message().starts_with("grpc: received message larger than max"), "{}", refused.message());
    assert_eq!(world.node.store().view().head(), 1);
}

#[tokio::test]
async fn a_deadline_is_kept_although_the_request_hangs() {
    let world = World::new().await;
    let mut client = KvClient::new(channel(&world).await);
    let mut compact =
        Request::new(chainfire::proto::etcdserverpb::CompactionRequest { revision: 1, physical: true });
    // Watchers that were not served yet hold the scrubber up: here, a hub that has come nowhere.
    world.node.store().set_dispatched(0);
    compact.set_timeout(Duration::from_millis(200));
    let late = client.compact(compact).await.unwrap_err();
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
}

#[tokio::test]
async fn more_requests_than_allowed_are_turned_away() {
    let world = World::with(|config| config.limits.requests = 16).await;
    let channel = channel(&world).await;
    let puts = (0..400).map(|n| {
        let mut client = KvClient::new(channel.clone());
        let request =
            PutRequest { key: format!("{n}").into(), value: vec![0; 10_000].into(), ..Default::default() };
        async move { client.put(request).await }
    });
    let outcomes = futures::future::join_all(puts).await;
    let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(!refused.is_empty() && refused.len() < 400, "{} refused", refused.len());
    for status in refused {
        assert_eq!(
            (status.code(), status.message()),
            (Code::ResourceExhausted, "etcdserver: too many requests")
        );
    }
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(world.node.store().view().head(), 1 + done as i64, "the others were all carried out");
}

const MIB: u64 = 1 << 20;

/// Whether a member still does its work, for somebody else.
async fn serves_others(member: &Member) {
    let mut client = member.client().await;
    let served = async {
        client.put("other", "v", None).await.unwrap();
        assert_eq!(client.get("other", None).await.unwrap().kvs()[0].value(), b"v");
    };
    timeout(SOON, served).await.expect("others are served");
}

#[tokio::test]
async fn malformed_protobuf_on_every_method_is_refused_and_hurts_nobody() {
    let world = World::new().await;
    let channel = channel_to(&world).await;
    let never_ending = vec![0xff; 64];
    let garbage: [&[u8]; 6] = [
        &never_ending,
        // A field that ends before it has begun, one of the wrong kind, and one of no kind there is.
        &[0x0a, 0x7f, 0x01],
        &[0x0d, 0x01],
        &[0x0f],
        // A group that is never closed, and a length that is more than there is in the world.
        &[0x0b, 0x08, 0x01],
        &[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ];
    for method in methods() {
        for bytes in garbage {
            match call(&channel, &method, bytes.to_vec()).await {
                Err(status) => {
                    assert_eq!(status.code(), Code::Internal, "{} {bytes:?}: {status:?}", method.name);
                }
                Ok(answer) => panic!("{} took {bytes:?} and answered {answer:?}", method.name),
            }
        }
    }
    let put = PutRequest { key: "k".into(), ..Default::default() };
    KvClient::new(channel).put(put).await.unwrap();
}

#[tokio::test]
async fn text_that_is_none_is_refused_where_text_is_meant() {
    let world = World::new().await;
    let channel = channel_to(&world).await;
    // The first field, a text of one byte that no UTF-8 has.
    for name in
        ["Authenticate", "UserAdd", "UserGet", "RoleAdd", "RoleGet", "MemberAdd", "RoleGrantPermission"]
    {
        let status = call(&channel, &method(name), vec![0x0a, 0x01, 0xff]).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{name}");
        assert!(status.message().starts_with("grpc: error unmarshalling request: "), "{}", status.message());
    }
    // Keys and values are bytes.
    let put = PutRequest { key: vec![0xff, 0xfe].into(), value: vec![0xff].into(), ..Default::default() };
    KvClient::new(channel).put(put).await.unwrap();
}

#[tokio::test]
async fn transactions_nest_as_deep_as_the_bound_and_no_deeper() {
    let world = World::new().await;
    let channel = channel_to(&world).await;
    let nested = |depth: usize| {
        let put = PutRequest { key: "deep".into(), ..Default::default() };
        let inner = (0..depth).fold(RequestOp { request: Some(Op::RequestPut(put)) }, |inner, _| {
            let txn = TxnRequest { success: vec![inner], ..Default::default() };
            RequestOp { request: Some(Op::RequestTxn(txn)) }
        });
        TxnRequest { success: vec![inner], ..Default::default() }
    };
    let mut client = KvClient::new(channel.clone());
    client.txn(nested(40)).await.unwrap();
    assert_eq!(world.node.store().view().head(), 2);
    let refused = client.txn(nested(41)).await.unwrap_err();
    let text = "etcdserver: too many operations in txn request";
    assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, text));
    let refused = client.txn(nested(5000)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal, "beyond what is decoded at all");
    let wide = |n: usize| {
        let put = |n| RequestOp {
            request: Some(Op::RequestPut(PutRequest { key: format!("{n}").into(), ..Default::default() })),
        };
        TxnRequest { success: (0..n).map(put).collect(), ..Default::default() }
    };
    client.txn(wide(128)).await.unwrap();
    assert_eq!(client.txn(wide(129)).await.unwrap_err().message(), text);
    assert_eq!(world.node.store().view().head(), 3, "what was refused left no trace");
}

#[tokio::test]
async fn ten_thousand_watches_on_one_stream_cost_little_and_hold_nobody_up() {
    const WATCHES: usize = 10_000;
    let member = Member::start().await;
    let mut client = member.client().await;
    client.put("k", "v", None).await.unwrap();
    let before = member.memory();
    let mut stream = client.watch("w", None).await.unwrap();
    for n in 1..WATCHES {
        let options = WatchOptions::new().with_range(format!("x{n}"));
        stream.watch("w", Some(options)).await.unwrap();
        if n % 100 == 0 {
            // A client that never reads its answers would be made to wait.
            for _ in 0..100 {
                assert!(stream.message().await.unwrap().unwrap().created());
            }
        }
    }
    while let Ok(created) = timeout(Duration::from_secs(1), stream.message()).await {
        assert!(created.unwrap().unwrap().created());
    }
    let grown = member.memory().saturating_sub(before);
    assert!(grown < 100 * MIB, "{} MiB for {WATCHES} watches", grown / MIB);
    client.put("w", "one for each of them", None).await.unwrap();
    serves_others(&member).await;
    let mut told = BTreeSet::new();
    while told.len() < WATCHES {
        let next = timeout(SOON, stream.message()).await.expect("each is told").unwrap().unwrap();
        assert!(next.events().len() == 1 && told.insert(next.watch_id()), "{next:?}");
    }
    let grown = member.memory().saturating_sub(before);
    assert!(grown < 150 * MIB, "{} MiB", grown / MIB);
}

#[tokio::test]
async fn a_stream_has_so_many_watches_and_no_more() {
    let world = World::with(|config| config.limits.watchers_per_stream = 3).await;
    let mut client = world.client().await;
    let mut stream = client.watch("w", None).await.unwrap();
    for _ in 0..3 {
        stream.watch("w", None).await.unwrap();
    }
    for _ in 0..3 {
        let created = stream.message().await.unwrap().unwrap();
        assert!(created.created() && !created.canceled());
    }
    let refused = stream.message().await.unwrap().unwrap();
    assert!(refused.created() && refused.canceled());
    assert_eq!(refused.cancel_reason(), "etcdserver: too many requests");
}

#[tokio::test]
async fn watchers_that_never_read_cost_little_and_lose_nothing() {
    const STREAMS: usize = 100;
    const PUTS: usize = 600;
    let member = Member::start().await;
    let mut client = member.client().await;
    // Streams of one connection share its window: the first one, which reads in the end, has its own.
    let mut idle = Vec::new();
    for n in 0..STREAMS {
        if n == 1 {
            client = member.client().await;
        }
        let mut stream = client.watch("w", None).await.unwrap();
        assert!(stream.message().await.unwrap().unwrap().created());
        idle.push(stream);
    }
    let mut other = member.client().await;
    let before = member.memory();
    for _ in 0..PUTS {
        other.put("w", vec![7; 100_000], None).await.unwrap();
    }
    // What is shared between the streams, and what of it is on its way on each connection.
    let grown = member.memory().saturating_sub(before);
    assert!(grown < 400 * MIB, "{} MiB for {STREAMS} streams that do not read", grown / MIB);
    serves_others(&member).await;
    let mut versions = Vec::new();
    while versions.len() < PUTS {
        let next = timeout(SOON, idle[0].message()).await.expect("it was not forgotten").unwrap().unwrap();
        versions.extend(next.events().iter().map(|event| event.kv().unwrap().version()));
    }
    assert_eq!(versions, (1..=PUTS as i64).collect::<Vec<_>>());
}

#[tokio::test]
async fn large_answers_that_nobody_reads_are_bounded() {
    let member = Member::start().await;
    let mut client = member.client().await;
    for n in 0..100 {
        client.put(format!("k{n:03}"), vec![7; 200_000], None).await.unwrap();
    }
    let before = member.memory();
    let all = RangeRequest { key: "k".into(), range_end: "l".into(), ..Default::default() }.encode_to_vec();
    // Windows as small as they get, so that an answer of 20 MB waits in the member.
    let endpoint = Endpoint::new(format!("http://{}", member.address())).unwrap();
    let endpoint = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    let channel = endpoint.connect().await.unwrap();
    let mut asked = JoinSet::new();
    for _ in 0..200 {
        let (channel, all) = (channel.clone(), all.clone());
        asked.spawn(async move { call(&channel, &method("Range"), all).await });
    }
    let mut refused = 0;
    while refused < 100 {
        match timeout(SOON, asked.join_next()).await.expect("most are refused").unwrap().unwrap() {
            Err(status) if status.message() == "etcdserver: too many requests" => refused += 1,
            Err(status) => assert_eq!(status.code(), Code::OutOfRange, "{status:?}"),
            Ok(_) => {}
        }
    }
    let grown = member.memory().saturating_sub(before);
    assert!(grown < 1200 * MIB, "{} MiB of 4000", grown / MIB);
    serves_others(&member).await;
    drop(asked);
    drop(channel);
    let answer = client.get("k", Some(GetOptions::new().with_prefix().with_limit(15))).await.unwrap();
    assert_eq!(answer.count(), 100, "there is room again");
}

#[tokio::test]
async fn streams_reset_in_a_loop_leave_nothing_behind() {
    const ROUNDS: usize = 20;
    const STREAMS: usize = 100;
    let member = Member::start().await;
    let mut client = member.client().await;
    client.lock("held", None).await.unwrap();
    let bytes = |name: &str| match name {
        // A lock that is waited for, a watch of everything, an election without a leader.
        "Lock" => LockRequest { name: "held".into(), lease: 0 }.encode_to_vec(),
        "Watch" => vec![0x0a, 0x06, 0x0a, 0x01, 0x00, 0x12, 0x01, 0x00],
        "Observe" => LeaderRequest { name: "none".into() }.encode_to_vec(),
        _ => RangeRequest { key: "\0".into(), range_end: "\0".into(), ..Default::default() }.encode_to_vec(),
    };
    let mut memory = Vec::new();
    for _ in 0..ROUNDS {
        let channel = raw::channel(member.address()).await;
        let mut streams = JoinSet::new();
        for name in ["Lock", "Watch", "Observe", "Range"] {
            for _ in 0..STREAMS {
                let (channel, method, bytes) = (channel.clone(), method(name), bytes(name));
                streams.spawn(async move { call(&channel, &method, bytes).await });
            }
        }
        tokio::task::yield_now().await;
        streams.abort_all();
        while streams.join_next().await.is_some() {}
        serves_others(&member).await;
        memory.push(member.memory());
    }
    let grown = memory[ROUNDS - 1].saturating_sub(memory[ROUNDS / 2]);
    assert!(grown < 64 * MIB, "{} MiB in the second half", grown / MIB);
    eventually("no waiter is left, and no lease of one", async || {
        queue(&mut client, "held").await.len() == 1 && client.leases().await.unwrap().leases().len() == 1
    })
    .await;
}

#[tokio::test]
async fn a_token_of_another_cluster_or_another_time_lets_nobody_in() {
    let guarded = async || {
        let world = World::with(|config| config.auth.bcrypt_cost = 4).await;
        let mut client = world.client().await;
        client.user_add("root", "r", None).await.unwrap();
        client.user_grant_role("root", "root").await.unwrap();
        client.auth_enable().await.unwrap();
        let login = AuthenticateRequest { name: "root".into(), password: "r".into() };
        let mut auth = AuthClient::new(channel(&world).await);
        let token = auth.authenticate(login).await.unwrap().into_inner().token;
        (world, token)
    };
    let ((one, of_one), (other, _)) = (guarded().await, guarded().await);
    let ask = async |world: &World, token: &str| {
        let mut request = Request::new(RangeRequest { key: "k".into(), ..Default::default() });
        request.metadata_mut().insert("token", token.parse().unwrap());
        KvClient::new(channel(world).await).range(request).await.map(drop).map_err(|status| status.code())
    };
    assert_eq!(ask(&one, &of_one).await, Ok(()));
    assert_eq!(ask(&other, &of_one).await, Err(Code::Unauthenticated));
    let one = one.restart().await;
    assert_eq!(ask(&one, &of_one).await, Err(Code::Unauthenticated), "of an earlier life");
}
