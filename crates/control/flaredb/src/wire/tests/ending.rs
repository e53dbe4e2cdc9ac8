//! How connections and statements end before they are done: leaving, cancelling, shutting down, bugs.

use std::time::Duration;

use crate::wire::fuzzing::FakeHost;
use crate::wire::options::Options;
use crate::wire::serve::Ending;
use crate::wire::tests::talk::{Talk, play, play_with, say};

const SHUT_DOWN: &str = "E[FATAL 57P01 terminating connection due to administrator command] EOF";
const CANCELED: &str = "E[ERROR 57014 canceling statement due to user request]";

#[tokio::test(start_paused = true)]
async fn a_client_may_take_its_leave_or_not() {
    let (ending, _) = play(async |talk| assert_eq!(talk.ask("X").await, "EOF")).await;
    assert!(matches!(ending, Ending::Left));
    let (ending, host) = play(async |talk| {
        talk.ask("Q begin").await;
        talk.hang_up();
    })
    .await;
    assert!(matches!(ending, Ending::Gone));
    assert_eq!(host.log.take(), ["connect trusted []", "end"]);
}

#[tokio::test(start_paused = true)]
async fn a_statement_is_cancelled_and_the_next_one_is_not() {
    play(async |talk| {
        talk.control.cancel();
        assert_eq!(talk.ask("Q wait").await, "", "who cancels meant what ran then");
        talk.control.cancel();
        assert_eq!(talk.hear().await, format!("T1 {CANCELED} ZI"));
        assert_eq!(talk.ask("Q rows 1").await, "T1 D[1] C[SELECT 1] ZI");
        assert_eq!(talk.ask("P _ wait | B _ _ | E _ | P _ rows 1").await, "");
        talk.control.cancel();
        assert_eq!(talk.hear().await, format!("1 2 {CANCELED}"));
        assert_eq!(talk.ask("S").await, "ZI");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_statement_ends_when_its_client_leaves() {
    for half in [false, true] {
        let (ending, host) = play(async |talk| {
            assert_eq!(talk.ask("Q begin").await, "C[BEGIN] ZT");
            talk.send(&say("Q wait | Q rows 1")).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            if half {
                talk.close_writing().await;
                assert_eq!(talk.hear().await, "T1 EOF");
            } else {
                talk.hang_up();
            }
        })
        .await;
        assert!(matches!(ending, Ending::Gone));
        assert_eq!(host.log.take(), ["connect trusted []", "end"]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_in_the_middle_of_a_result_is_not_written_to_for_ever() {
    let (ending, host) = play(async |talk| {
        talk.send(&say("Q rows 5000 5000")).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        talk.hang_up();
    })
    .await;
    assert!(matches!(ending, Ending::Gone));
    assert_eq!(host.log.take(), ["connect trusted []", "end"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_the_statement_up_and_gets_everything() {
    play(async |talk| {
        talk.send(&say("Q rows 5000 500")).await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
        let (heard, _) = talk.hear_bytes().await;
        assert_eq!(heard.iter().filter(|byte| **byte == b'x').count(), 2_500_000);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_is_given_up_after_the_limit() {
    let options = Options { write_limit: Some(Duration::from_secs(30)), ..Options::new([0; 32]) };
    let host = FakeHost::default();
    let ending = play_with(&host, &options, async |talk| {
        talk.send(&say("Q rows 5000 500")).await;
        tokio::time::sleep(Duration::from_secs(29)).await;
        assert_eq!(host.log.take().len(), 1, "not yet");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(host.log.take(), ["end"]);
    })
    .await;
    assert!(matches!(ending, Ending::Gone));
}

#[tokio::test(start_paused = true)]
async fn draining_ends_what_is_idle_and_waits_for_the_rest() {
    play(async |talk| {
        talk.control.drain();
        assert_eq!(talk.hear().await, SHUT_DOWN);
    })
    .await;
    let (ending, host) = play(async |talk| {
        assert_eq!(talk.ask("Q begin").await, "C[BEGIN] ZT");
        talk.control.drain();
        assert_eq!(talk.ask("Q rows 1").await, "T1 D[1] C[SELECT 1] ZT");
        assert_eq!(talk.ask("P _ commit | B _ _ | E _ | H").await, "1 2 C[COMMIT]", "before its sync");
        assert_eq!(talk.ask("S").await, format!("ZI {SHUT_DOWN}"));
    })
    .await;
    assert!(matches!(ending, Ending::Refused(_)));
    assert_eq!(host.log.take(), ["connect trusted []", "sync", "end"]);
}

#[tokio::test(start_paused = true)]
async fn terminating_ends_everything() {
    play(async |talk| {
        assert_eq!(talk.ask("Q begin").await, "C[BEGIN] ZT");
        talk.control.terminate();
        assert_eq!(talk.hear().await, SHUT_DOWN);
    })
    .await;
    play(async |talk| {
        assert_eq!(talk.ask("P _ wait | B _ _ | E _ | H").await, "");
        talk.control.terminate();
        assert_eq!(talk.hear().await, format!("1 2 {SHUT_DOWN}"));
    })
    .await;
    let (ending, _) = play(async |talk| {
        talk.send(&say("Q rows 5000 5000")).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        talk.control.terminate();
        tokio::time::sleep(Duration::from_secs(1)).await;
    })
    .await;
    assert!(matches!(ending, Ending::Refused(_)), "though nobody reads");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_panics_ends_its_connection_only() {
    for said in ["Q rows 1; panic", "P _ panic | B _ _ | E _ | S"] {
        let (ending, host) = play(async |talk| {
            let heard = talk.ask(said).await;
            assert!(heard.ends_with("E[FATAL XX000 internal error] EOF"), "{heard}");
        })
        .await;
        assert!(matches!(ending, Ending::Panicked));
        assert_eq!(host.log.take(), ["connect trusted []"]);
        let options = Options::new([0; 32]);
        let again = play_with(&host, &options, async |talk: &mut Talk| {
            assert_eq!(talk.ask("Q rows 1").await, "T1 D[1] C[SELECT 1] ZI");
        });
        assert!(matches!(again.await, Ending::Gone));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_session_may_end_the_connection() {
    let (ending, host) = play(async |talk| {
        assert_eq!(talk.ask("Q fatal").await, "E[FATAL 57P04 database was dropped] EOF");
    })
    .await;
    assert!(matches!(ending, Ending::Refused(_)));
    assert_eq!(host.log.take(), ["connect trusted []", "end"]);
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_for_too_long_is_told_so() {
    let host = FakeHost { idle: Some(Duration::from_secs(30)), ..FakeHost::default() };
    let begun = tokio::time::Instant::now();
    let ending = play_with(&host, &Options::new([0; 32]), async |talk| {
        tokio::time::sleep(Duration::from_secs(29)).await;
        assert_eq!(talk.ask("Q rows 1").await, "T1 D[1] C[SELECT 1] ZI");
        tokio::time::sleep(Duration::from_secs(60)).await;
        let heard = talk.hear().await;
        assert_eq!(heard, "E[FATAL 57P05 terminating connection due to idle-session timeout] EOF");
    })
    .await;
    assert!(matches!(ending, Ending::Refused(_)));
    assert!(begun.elapsed() < Duration::from_secs(100));
}

/// Inputs that once were worth a thought, and what makes whole conversations of them.
#[test]
fn whatever_is_said_the_connection_ends() {
    let long = [b"\x03".to_vec(), say("Q rows 5000 100 | Q rows 3 | X")].concat();
    let copies = [
        b"\x01".to_vec(),
        say("Q copyin | d x | S | c | Q copyinfail | d x | f y | P _ copyout | B _ _ | E _"),
    ]
    .concat();
    for said in
        [&b""[..], b"\x01", b"\x09", b"\x0fQ\0\0\0", b"\x00\0\0\0\x08\x04\xd2\x16\x2f", &long, &copies]
    {
        for how in 0..16 {
            let mut said = said.to_vec();
            if let Some(first) = said.first_mut() {
                *first = how;
            }
            crate::wire::fuzzing::fuzz_one(&said);
        }
    }
}

proptest::proptest! {
    #[test]
    fn whatever_bytes_are_said_the_connection_ends(
        said in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
    ) {
        crate::wire::fuzzing::fuzz_one(&said);
    }

    #[test]
    fn whatever_messages_are_said_the_connection_ends(
        how in 0_u8..16,
        said in proptest::collection::vec(
            "Q (rows 9 99|begin|commit|rollback|copyin|copyinfail|copyout 9|wait|halfrow|fatal|;|selec)|P [a_] (rows 9|\\$ \\$|copyin|begin)|B [p_] [a_]( x y)?|D [SP] [a_]|C [SP] [p_]|E [p_] [0-9]|S|H|X|F|d xyz|c|f why|\\? x",
            0..20,
        ),
        damage in proptest::option::weighted(0.3, (0_usize..400, proptest::prelude::any::<u8>())),
    ) {
        let mut bytes = vec![how];
        bytes.extend(said.iter().flat_map(|message| say(message)));
        if let Some((at, byte)) = damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        crate::wire::fuzzing::fuzz_one(&bytes);
    }
}
