//! COPY in both directions, and how it fails. Expectations are PostgreSQL 15's.

use crate::wire::serve::Ending;
use crate::wire::tests::talk::{all, m, play, say};

const LOST: &str = "E[FATAL 08P01 terminating connection because protocol synchronization was lost] EOF";

#[tokio::test(start_paused = true)]
async fn data_is_copied_in_until_it_is_done() {
    play(async |talk| {
        all(
            talk,
            &[
                ("Q copyin", "G"),
                ("d 1\\n | d 2\\n", ""),
                ("d  | c", "C[COPY 4] ZI"),
                ("Q copyin; rows 1", "G"),
                ("S | H | d x | c", "C[COPY 1] T1 D[1] C[SELECT 1] ZI"),
                ("P _ copyin | B _ _ | D P _ | E _ | S", "1 2 n G"),
                ("d 1 | c | S", "C[COPY 1] ZI"),
            ],
        )
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_piece_is_passed_on_as_it_comes() {
    play(async |talk| {
        assert_eq!(talk.ask("Q copyin").await, "G");
        talk.send(&m(b'd', &[b'x'; 3_000_000])).await;
        assert_eq!(talk.ask("c").await, "C[COPY 3000000] ZI");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_fails_leaves_the_rest_to_be_passed_over() {
    let division = "E[ERROR 22012 division by zero]";
    let changed = "E[ERROR 57014 COPY from stdin failed: changed my mind]";
    play(async |talk| {
        assert_eq!(talk.ask("Q copyin").await, "G");
        assert_eq!(talk.ask("d 1 | f changed my mind").await, format!("{changed} ZI"));
        assert_eq!(talk.ask("Q copyinfail").await, "G");
        assert_eq!(talk.ask("d 1 | d 2").await, format!("{division} ZI"));
        assert_eq!(talk.ask("d 3 | c | Q rows 1").await, "T1 D[1] C[SELECT 1] ZI");
        talk.send(&say("Q copyinfail")).await;
        talk.send(&m(b'd', &[b'x'; 300_000])).await;
        assert_eq!(talk.ask("c | Q rows 0").await, format!("G {division} ZI T1 C[SELECT 0] ZI"));
        assert_eq!(talk.ask("P _ copyin | B _ _ | E _ | S").await, "1 2 G");
        assert_eq!(talk.ask("d 1 | f changed my mind").await, changed);
        assert_eq!(talk.ask("Q rows 1").await, "");
        assert_eq!(talk.ask("S").await, "ZI");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_belong_into_a_copy_ends_the_connection() {
    for (said, tag) in [("Q rows 1", "51"), ("X", "58"), ("E x", "45"), ("? x", "3F")] {
        let (ending, host) = play(async |talk| {
            assert_eq!(talk.ask("Q copyin").await, "G");
            let heard = talk.ask(&format!("d 1 | {said}")).await;
            let error = format!("E[ERROR 08P01 unexpected message type 0x{tag} during COPY from stdin]");
            assert_eq!(heard, format!("{error} {LOST}"));
        })
        .await;
        assert!(matches!(ending, Ending::Refused(_)));
        assert_eq!(host.log.take(), ["connect trusted []", "failed", "end"]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_during_a_copy_has_not_copied() {
    let (ending, host) = play(async |talk| {
        assert_eq!(talk.ask("Q begin").await, "C[BEGIN] ZT");
        assert_eq!(talk.ask("Q copyin").await, "G");
        talk.send(&m(b'd', &[b'x'; 100])[..50]).await;
        talk.hang_up();
    })
    .await;
    assert!(matches!(ending, Ending::Gone));
    assert_eq!(host.log.take(), ["connect trusted []", "end"]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_waits_for_data_can_be_cancelled() {
    play(async |talk| {
        assert_eq!(talk.ask("Q copyin").await, "G");
        talk.control.cancel();
        assert_eq!(talk.hear().await, "E[ERROR 57014 canceling statement due to user request] ZI");
        assert_eq!(talk.ask("d 1 | c | Q rows 0").await, "T1 C[SELECT 0] ZI");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn data_is_copied_out_line_by_line() {
    play(async |talk| {
        all(
            talk,
            &[
                ("Q copyout 2", "H d[0\\n] d[1\\n] c C[COPY 2] ZI"),
                ("P _ copyout 2 | B _ _ | D P _ | E _ | S", "1 2 n H d[0\\n] d[1\\n] c C[COPY 2] ZI"),
                ("Q copyoutfail 1", "H d[0\\n] E[ERROR 22012 division by zero] ZI"),
                ("P _ copyoutfail 1 | B _ _ | E _ | S", "1 2 H d[0\\n] E[ERROR 22012 division by zero] ZI"),
            ],
        )
        .await;
    })
    .await;
}
