//! From the first byte to a session, without passwords.

use std::time::Duration;

use crate::wire::control::Control;
use crate::wire::fuzzing::FakeHost;
use crate::wire::host::{Security, Transport};
use crate::wire::options::Options;
use crate::wire::serve::{Ending, serve};
use crate::wire::tests::talk::{Talk, packet, plain, play_raw, startup};

const IN: &str = "R0 S[server_version=15.0] K8 ZI";
const TLS: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
const GSS: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";

/// What is heard of each thing that is said.
async fn raw(options: &Options, rows: &[(&[u8], &str)]) -> (Ending, FakeHost) {
    let host = FakeHost::default();
    let ending = play_raw(&host, options, plain, async |talk: &mut Talk| {
        for (said, heard) in rows {
            assert_eq!(talk.ask_bytes(said).await, *heard, "{said:?}");
        }
    })
    .await;
    (ending, host)
}

/// Single bytes are no messages.
async fn answer(talk: &mut Talk, said: &[u8]) -> Vec<u8> {
    talk.send(said).await;
    talk.hear_bytes().await.0
}

fn trusted() -> Vec<u8> {
    startup(0, &["user", "trusted"])
}

fn tls() -> Options {
    Options { tls: true, ..Options::new([0; 32]) }
}

#[tokio::test(start_paused = true)]
async fn a_trusted_user_is_in_with_his_settings() {
    let said = startup(0, &["user", "trusted", "DateStyle", "ISO", "options", "-c a=b --c-d=e"]);
    let (_, host) = raw(&Options::new([0; 32]), &[(&said, IN)]).await;
    let settings = "[(\"a\", \"b\"), (\"c_d\", \"e\"), (\"DateStyle\", \"ISO\")]";
    assert_eq!(host.log.take()[0], format!("connect trusted {settings}"));
}

#[tokio::test(start_paused = true)]
async fn the_version_is_negotiated() {
    let longer = "R0 S[server_version=15.0] K36 ZI";
    for (minor, parameters, heard) in [
        (1, &["user", "trusted"][..], IN.to_owned()),
        (2, &["user", "trusted"], longer.to_owned()),
        (9, &["user", "trusted"], format!("v[3.2 ] {longer}")),
        (0, &["user", "trusted", "_pq_.x", "1", "_pq_.y", ""], format!("v[3.0 _pq_.x _pq_.y] {IN}")),
    ] {
        raw(&Options::new([0; 32]), &[(&startup(minor, parameters), &heard)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_packet_comes_in_any_pieces() {
    let said = [trusted(), crate::wire::tests::talk::say("Q rows 1")].concat();
    for cut in 0..said.len() {
        let host = FakeHost::default();
        play_raw(&host, &Options::new([0; 32]), plain, async |talk: &mut Talk| {
            talk.send(&said[..cut]).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            let heard = talk.ask_bytes(&said[cut..]).await;
            assert_eq!(heard, format!("{IN} T1 D[1] C[SELECT 1] ZI"), "{cut}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_let_in_is_told_why() {
    let layout = "E[FATAL 08P01 invalid startup packet layout: expected terminator as last byte] EOF";
    for (said, heard) in [
        (
            startup(0, &["user", "rejected"]),
            "E[FATAL 28000 role \"rejected\" is not permitted to log in] EOF",
        ),
        (
            startup(0, &["user", "trusted", "database", "nope"]),
            "R0 E[FATAL 3D000 database \"nope\" does not exist] EOF",
        ),
        (
            startup(0, &["database", "x"]),
            "E[FATAL 28000 no PostgreSQL user name specified in startup packet] EOF",
        ),
        (
            startup(0, &["user", "trusted", "replication", "database"]),
            "E[FATAL 0A000 a replication connection is not supported] EOF",
        ),
        (packet(b"\0\x03\0\0user\0x\0"), layout),
        (packet(b"\0\x03\0\0user\0x\0\0y"), layout),
        (
            packet(b"\0\x04\0\0"),
            "E[FATAL 0A000 unsupported frontend protocol 4.0: server supports 3.0 to 3.2] EOF",
        ),
        (startup(0, &["user", "panics"]), "E[FATAL XX000 internal error] EOF"),
    ] {
        raw(&Options::new([0; 32]), &[(&said, heard)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_client_of_postgresqls_is_not_answered() {
    for said in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"\0\0\0\x04", b"\0\0\x27\x11", b"\x16\x03\x01\x02\0\x01"] {
        let (ending, _) = raw(&tls(), &[(said, "EOF")]).await;
        assert!(matches!(ending, Ending::Gone));
    }
}

#[tokio::test(start_paused = true)]
async fn encryption_that_there_is_not_is_declined_once() {
    let host = FakeHost::default();
    play_raw(&host, &Options::new([0; 32]), plain, async |talk: &mut Talk| {
        assert_eq!(answer(talk, GSS).await, b"N");
        assert_eq!(answer(talk, TLS).await, b"N");
        assert_eq!(talk.ask_bytes(&trusted()).await, IN);
    })
    .await;
    for (twice, version) in [(TLS, "1234.5679"), (GSS, "1234.5680")] {
        play_raw(&host, &Options::new([0; 32]), plain, async |talk: &mut Talk| {
            assert_eq!(answer(talk, twice).await, b"N");
            let error = format!("unsupported frontend protocol {version}: server supports 3.0 to 3.2");
            assert_eq!(talk.ask_bytes(twice).await, format!("E[FATAL 0A000 {error}] EOF"));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_leads_to_a_session() {
    let host = FakeHost::default();
    let options = Options { require_tls: true, ..tls() };
    play_raw(&host, &options, plain, async |talk: &mut Talk| {
        assert_eq!(answer(talk, GSS).await, b"N");
        assert_eq!(answer(talk, TLS).await, b"S");
        assert_eq!(talk.ask_bytes(&trusted()).await, IN);
    })
    .await;
    let direct = |near| Transport { stream: Box::new(near), security: Some(Security::default()) };
    play_raw(&host, &options, direct, async |talk: &mut Talk| {
        assert_eq!(talk.ask_bytes(&trusted()).await, IN);
    })
    .await;
    play_raw(&host, &options, direct, async |talk: &mut Talk| {
        assert!(
            talk.ask_bytes(TLS).await.starts_with("E[FATAL 0A000 unsupported frontend protocol 1234.5679")
        );
    })
    .await;
    let failing = FakeHost { handshake_fails: true, ..FakeHost::default() };
    let ending = play_raw(&failing, &options, plain, async |talk: &mut Talk| {
        assert_eq!(answer(talk, TLS).await, b"S");
        assert_eq!(talk.hear().await, "EOF");
    });
    assert!(matches!(ending.await, Ending::Handshake(_)));
}

#[tokio::test(start_paused = true)]
async fn plain_text_before_a_handshake_is_not_taken_for_what_comes_in_it() {
    let said = [TLS, &trusted()].concat();
    let heard = "E[FATAL 08P01 received unencrypted data after SSL request] EOF";
    let (_, host) = raw(&tls(), &[(&said, heard)]).await;
    assert!(host.log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_tls_is_required_nothing_else_is_taken() {
    let heard = "E[FATAL 28000 connections without TLS are not allowed] EOF";
    let options = Options { require_tls: true, ..tls() };
    let (ending, host) = raw(&options, &[(&trusted(), heard)]).await;
    assert!(host.log.take().is_empty());
    let Ending::Refused(error) = ending else { panic!("it was refused") };
    assert!(error.hint.unwrap().contains("sslmode"));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_request_is_handed_on_and_not_answered() {
    let options = Options { require_tls: true, ..tls() };
    for (said, log) in [
        (packet(b"\x04\xd2\x16\x2e\0\0\0\x01abcd"), vec!["cancel 1 [97, 98, 99, 100]".to_owned()]),
        (packet(b"\x04\xd2\x16\x2e\0\0\0\x01abc"), vec![]),
        (packet(&[&b"\x04\xd2\x16\x2e\0\0\0\x01"[..], &[1; 257]].concat()), vec![]),
    ] {
        let (ending, host) = raw(&options, &[(&said, "EOF")]).await;
        assert!(matches!(ending, Ending::CancelRequest));
        assert_eq!(host.log.take(), log);
    }
}

#[tokio::test(start_paused = true)]
async fn all_of_it_has_a_time_limit() {
    let timeout = "E[FATAL 57014 canceling authentication due to timeout] EOF";
    for (said, heard) in [
        (vec![], "EOF"),
        (trusted()[..9].to_vec(), "EOF"),
        (startup(0, &["user", "waits"]), timeout),
        (startup(0, &["user", "somebody"]), timeout),
    ] {
        let host = FakeHost::default();
        play_raw(&host, &Options::new([0; 32]), plain, async |talk: &mut Talk| {
            talk.send(&said).await;
            talk.hear().await;
            tokio::time::sleep(Duration::from_secs(59)).await;
            assert_eq!(talk.hear().await, "", "not yet");
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(talk.hear().await, heard, "{said:?}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_let_in_any_more_when_the_server_goes() {
    let shut_down = "E[FATAL 57P01 terminating connection due to administrator command] EOF";
    for (said, heard) in [(vec![], "EOF"), (startup(0, &["user", "waits"]), shut_down)] {
        let host = FakeHost::default();
        play_raw(&host, &Options::new([0; 32]), plain, async |talk: &mut Talk| {
            talk.send(&said).await;
            talk.hear().await;
            talk.control.drain();
            assert_eq!(talk.hear().await, heard);
        })
        .await;
    }
}

#[test]
fn a_connection_can_be_served_on_any_thread() {
    fn on_any_thread(_: impl Send) {}
    let (near, _) = tokio::io::duplex(1);
    let (host, options, control) = (FakeHost::default(), Options::new([0; 32]), Control::new());
    on_any_thread(serve(&host, plain(near), &options, &control));
}
