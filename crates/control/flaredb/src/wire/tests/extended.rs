//! The extended protocol. Expectations are PostgreSQL 15's answers, in the words of the fake session.

use crate::wire::tests::talk::{all, m, play, say};

#[tokio::test(start_paused = true)]
async fn a_batch_is_answered_at_its_sync() {
    play(async |talk| {
        all(
            talk,
            &[
                ("P _ rows 1 | B _ _ | D P _ | E _ | S", "1 2 T1 D[1] C[SELECT 1] ZI"),
                ("P _ rows 1 | D S _", ""),
                ("H", "1 t0 T1"),
                ("S", "ZI"),
                ("P _  | B _ _ | D P _ | D S _ | E _ | S", "1 2 n t0 n I ZI"),
                (
                    "P e $ $ | D S e | B _ e one NULL | D P _ | E _ | S",
                    "1 t2 T2 2 T2 D[one,NULL] C[SELECT 1] ZI",
                ),
                ("B p e a b | B q e c d | E q | E p | S", "2 2 D[c,d] C[SELECT 1] D[a,b] C[SELECT 1] ZI"),
                ("C S e | C S e | C P nope | S", "3 3 3 ZI"),
                ("B _ e a b | S", "E[ERROR 26000 prepared statement \"e\" does not exist] ZI"),
            ],
        )
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_an_error_nothing_is_done_until_sync() {
    let error = "E[ERROR 42601 syntax error at or near \"selec\"]";
    let (_, host) = play(async |talk| {
        let said =
            "P _ rows 1 | B _ _ | E _ | P _ selec | B _ _ | E _ | D S x | H | F | Q rows 1 | S | Q rows 1";
        let heard = talk.ask(said).await;
        assert_eq!(heard, format!("1 2 D[1] C[SELECT 1] {error} ZI T1 D[1] C[SELECT 1] ZI"));
        assert_eq!(talk.ask("P _ selec").await, error, "at once");
        assert_eq!(talk.ask("Q rows 1 | P _ rows 1 | d x").await, "");
        assert_eq!(talk.ask("S").await, "ZI");
    })
    .await;
    assert_eq!(host.log.take(), ["connect trusted []", "failed", "sync", "failed", "sync", "end"]);
}

#[tokio::test(start_paused = true)]
async fn a_portal_gives_as_many_rows_as_are_asked_for() {
    play(async |talk| {
        all(
            talk,
            &[
                (
                    "P _ rows 5 | B _ _ | E _ 2 | E _ 2 | E _ 2 | S",
                    "1 2 D[1] D[2] s D[3] D[4] s D[5] C[SELECT 1] ZI",
                ),
                ("P _ rows 4 | B _ _ | E _ 4 | E _ 4 | S", "1 2 D[1] D[2] D[3] D[4] s C[SELECT 0] ZI"),
                ("P _ rows 2 | B _ _ | E _ -1 | S", "1 2 D[1] D[2] C[SELECT 2] ZI"),
                ("P _ rows 5 | B _ _ | E _ 2 | S", "1 2 D[1] D[2] s ZI"),
                ("E _ 2 | S", "E[ERROR 34000 portal \"\" does not exist] ZI"),
                ("Q begin", "C[BEGIN] ZT"),
                ("P _ rows 5 | B c _ | E c 2 | S", "1 2 D[1] D[2] s ZT"),
                ("E c 2 | S", "D[3] D[4] s ZT"),
                ("Q commit", "C[COMMIT] ZI"),
                ("E c 2 | S", "E[ERROR 34000 portal \"c\" does not exist] ZI"),
            ],
        )
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn names_that_are_missing_or_taken_are_errors() {
    let aborted =
        "E[ERROR 25P02 current transaction is aborted, commands ignored until end of transaction block] ZE";
    play(async |talk| {
        all(
            talk,
            &[
                ("B _ nope | S", "E[ERROR 26000 prepared statement \"nope\" does not exist] ZI"),
                ("B _ _ | S", "E[ERROR 26000 unnamed prepared statement does not exist] ZI"),
                ("E nope | S", "E[ERROR 34000 portal \"nope\" does not exist] ZI"),
                ("D P nope | S", "E[ERROR 34000 portal \"nope\" does not exist] ZI"),
                ("D S nope | S", "E[ERROR 26000 prepared statement \"nope\" does not exist] ZI"),
                (
                    "P a rows 1 | P a rows 2 | S",
                    "1 E[ERROR 42P05 prepared statement \"a\" already exists] ZI",
                ),
                ("B p a | B p a | S", "2 E[ERROR 42P03 cursor \"p\" already exists] ZI"),
                ("P _ rows 1 | S", "1 ZI"),
                ("Q rows 0", "T1 C[SELECT 0] ZI"),
                ("B _ _ | S", "E[ERROR 26000 unnamed prepared statement does not exist] ZI"),
                (
                    "P _ rows 1 | B _ _ | Q rows 0 | E _ | S",
                    "1 2 T1 C[SELECT 0] ZI E[ERROR 34000 portal \"\" does not exist] ZI",
                ),
                ("Q begin", "C[BEGIN] ZT"),
                ("B _ nope | S", "E[ERROR 26000 prepared statement \"nope\" does not exist] ZE"),
                ("D S a | S", aborted),
                ("B _ a | S", aborted),
                ("P _ rollback | B _ _ | E _ | S", "1 2 C[ROLLBACK] ZI"),
            ],
        )
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unnamed_statement_that_is_replaced_by_an_error_is_gone() {
    play(async |talk| {
        assert_eq!(talk.ask("P _ rows 1 | S").await, "1 ZI");
        talk.ask("P _ selec | S").await;
        let heard = talk.ask("B _ _ | S").await;
        assert_eq!(heard, "E[ERROR 26000 unnamed prepared statement does not exist] ZI");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn counts_and_formats_must_agree() {
    let with = |bind: &[u8]| [say("P _ $ $"), m(b'B', bind), say("S")].concat();
    let two = b"\0\x02\0\0\0\x01a\0\0\0\x01b";
    for (bytes, heard) in [
        (
            say("P _ $ $ | B _ _ a | S"),
            "1 E[ERROR 08P01 bind message supplies 1 parameters, but prepared statement \"\" requires 2] ZI",
        ),
        (
            say("P x $ | B _ x | S"),
            "1 E[ERROR 08P01 bind message supplies 0 parameters, but prepared statement \"x\" requires 1] ZI",
        ),
        (
            with(&[&b"\0\0\0\x03\0\0\0\0\0\0"[..], two, b"\0\0"].concat()),
            "1 E[ERROR 08P01 bind message has 3 parameter formats but 2 parameters] ZI",
        ),
        (
            with(&[&b"\0\0\0\x01\0\x07"[..], two, b"\0\0"].concat()),
            "1 E[ERROR 22023 unsupported format code: 7] ZI",
        ),
        (
            with(&[&b"\0\0\0\0"[..], two, b"\0\x03\0\0\0\0\0\0"].concat()),
            "1 E[ERROR 08P01 bind message has 3 result formats but query has 2 columns] ZI",
        ),
        (with(b"\0\0\0"), "1 E[ERROR 08P01 insufficient data left in message] ZI"),
        (with(b""), "1 E[ERROR 08P01 invalid string in message] ZI"),
        (
            with(b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
            "1 E[ERROR 08P01 insufficient data left in message] ZI",
        ),
        ([m(b'D', b"Zx\0"), say("S")].concat(), "E[ERROR 08P01 invalid DESCRIBE message subtype 90] ZI"),
        ([m(b'C', b"Zx\0"), say("S")].concat(), "E[ERROR 08P01 invalid CLOSE message subtype 90] ZI"),
        ([m(b'H', b"x"), say("S")].concat(), "E[ERROR 08P01 invalid message format] ZI"),
        (
            [m(b'P', b"\0rows\0\xff\xff"), say("S")].concat(),
            "E[ERROR 08P01 insufficient data left in message] ZI",
        ),
    ] {
        play(async |talk| assert_eq!(talk.ask_bytes(&bytes).await, heard, "{bytes:?}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn statements_that_nobody_closes_are_limited() {
    play(async |talk| {
        let mut script: Vec<u8> = (0..4096).flat_map(|name| say(&format!("P n{name} rows"))).collect();
        script.extend(say("S"));
        assert!(talk.ask_bytes(&script).await.ends_with("1 1 ZI"));
        assert_eq!(talk.ask("P one-more rows | S").await, "E[ERROR 53400 too many prepared statements] ZI");
        assert_eq!(talk.ask("C S n7 | P one-more rows | S").await, "3 1 ZI");
    })
    .await;
}
