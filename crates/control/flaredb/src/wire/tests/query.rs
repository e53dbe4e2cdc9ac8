//! Simple queries, and what belongs nowhere.

use crate::wire::options::Options;
use crate::wire::tests::talk::{all, m, play, play_with};

#[tokio::test(start_paused = true)]
async fn a_query_is_answered_and_so_is_an_error() {
    play(async |talk| {
        all(
            talk,
            &[
                ("Q rows 2", "T1 D[1] D[2] C[SELECT 2] ZI"),
                ("Q ", "I ZI"),
                ("Q  ; ", "I ZI"),
                ("Q set; rows 1", "S[application_name=x] C[SET] T1 D[1] C[SELECT 1] ZI"),
                ("Q notice", "N[WARNING 25P01 take notice] C[NOTICE] ZI"),
                ("Q selec", "E[ERROR 42601 syntax error at or near \"selec\"] ZI"),
                (
                    "Q rows 1; selec; rows 1",
                    "T1 D[1] C[SELECT 1] E[ERROR 42601 syntax error at or near \"selec\"] ZI",
                ),
                ("Q halfrow", "T1 E[ERROR 22012 division by zero] ZI"),
                ("Q rows 1 | Q rows 1", "T1 D[1] C[SELECT 1] ZI T1 D[1] C[SELECT 1] ZI"),
            ],
        )
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_state_of_the_transaction_is_told() {
    const ABORTED: &str =
        "E[ERROR 25P02 current transaction is aborted, commands ignored until end of transaction block] ZE";
    let (_, host) = play(async |talk| {
        all(
            talk,
            &[
                ("Q begin", "C[BEGIN] ZT"),
                ("Q rows 1", "T1 D[1] C[SELECT 1] ZT"),
                ("Q selec", "E[ERROR 42601 syntax error at or near \"selec\"] ZE"),
                ("Q rows 1", ABORTED),
                ("Q rollback", "C[ROLLBACK] ZI"),
            ],
        )
        .await;
    })
    .await;
    assert_eq!(host.log.take(), ["connect trusted []", "failed", "failed", "end"]);
}

// As PostgreSQL 15, but the function.
#[tokio::test(start_paused = true)]
async fn what_is_no_message_is_refused_in_postgresqls_words() {
    let invalid = "E[ERROR 08P01 invalid message format] ZI";
    for (bytes, heard) in [
        (m(b'Q', b"rows 1"), "E[ERROR 08P01 invalid string in message] ZI"),
        (m(b'Q', b"rows 1\0x"), invalid),
        (
            m(b'Q', b"\xe4 a\0"),
            "E[ERROR 22021 invalid byte sequence for encoding \"UTF8\": 0xe4 0x20 0x61] ZI",
        ),
        (m(b'S', b"x"), invalid),
        (m(b'F', b"\0\0\0\x01\0\0\0\0\0\0"), "E[ERROR 0A000 a function call by OID is not supported] ZI"),
        ([m(b'd', b"x"), m(b'c', b""), m(b'f', b"x\0"), m(b'S', b"")].concat(), "ZI"),
        (m(b'y', b"abc"), "E[FATAL 08P01 invalid frontend message type 121] EOF"),
        (m(b'p', b"abc"), "E[FATAL 08P01 invalid frontend message type 112] EOF"),
        (b"Q\0\0\0\x03".to_vec(), "E[FATAL 08P01 invalid message length] EOF"),
        (b"Q\x3f\xff\xff\xff".to_vec(), "E[FATAL 08P01 invalid message length] EOF"),
        (b"S\0\x01\0\0".to_vec(), "E[FATAL 08P01 invalid message length] EOF"),
    ] {
        play(async |talk| assert_eq!(talk.ask_bytes(&bytes).await, heard, "{bytes:?}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_beyond_the_limit_of_the_caller_ends_the_connection() {
    let options = Options { max_message: 20, ..Options::new([0; 32]) };
    let script = async |talk: &mut crate::wire::tests::talk::Talk| {
        assert_eq!(talk.ask("Q rows 1            ").await, "T1 D[1] C[SELECT 1] ZI");
        let heard = talk.ask("Q rows 1              ").await;
        assert_eq!(heard, "E[FATAL 08P01 invalid message length] EOF");
    };
    play_with(&crate::wire::fuzzing::FakeHost::default(), &options, script).await;
}

#[tokio::test(start_paused = true)]
async fn output_is_flushed_when_it_is_full_and_at_the_end() {
    let options = Options { flush_at: 100, ..Options::new([0; 32]) };
    play_with(&crate::wire::fuzzing::FakeHost::default(), &options, async |talk| {
        talk.send(&crate::wire::tests::talk::say("Q rows 30 5000")).await;
        let (heard, _) = talk.hear_bytes().await;
        assert_eq!(heard.iter().filter(|byte| **byte == b'x').count(), 150_000);
        assert_eq!(heard[heard.len() - 6..], *b"Z\0\0\0\x05I");
    })
    .await;
}
