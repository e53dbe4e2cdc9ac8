//! A monitor and a QEMU that is played.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where it stopped")]

use std::time::Duration;

use kit::task::Tasks;
use qmp::{Error, Monitor, WAITING, none};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

/// QEMU's end.
struct Played {
    stream: BufReader<DuplexStream>,
}

impl Played {
    async fn say(&mut self, message: &Value) {
        self.write(format!("{message}\r\n").as_bytes()).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

async fn open() -> (Monitor, Played) {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut qemu = Played { stream: BufReader::new(theirs) };
    let tasks = Tasks::default();
    let begun = async {
        let version = json!({"qemu": {"major": 10, "minor": 0, "micro": 2}, "package": ""});
        qemu.say(&json!({"QMP": {"version": version, "capabilities": []}})).await;
        assert_eq!(qemu.hear().await["execute"], "qmp_capabilities");
        qemu.say(&json!({"event": "RESUME", "timestamp": {"seconds": 1, "microseconds": 0}})).await;
        qemu.say(&json!({"return": {}, "id": 0})).await;
    };
    let (monitor, ()) = tokio::join!(Monitor::open(ours, &tasks), begun);
    (monitor.unwrap(), qemu)
}

#[tokio::test]
async fn commands_are_answered_while_things_happen() {
    let (monitor, mut qemu) = open().await;
    assert_eq!(monitor.version().to_string(), "10.0.2");
    let mut events = monitor.events();
    let played = async {
        let asked = qemu.hear().await;
        assert_eq!(asked, json!({"execute": "query-status", "id": 1}));
        qemu.say(&json!({"event": "STOP", "data": {"by": "hand"}, "timestamp": {}})).await;
        qemu.say(&json!({"return": {"status": "paused"}, "id": 1})).await;
        let asked = qemu.hear().await;
        assert_eq!(asked["arguments"], json!({"driver": "virtio-blk"}));
        qemu.say(&json!({"error": {"class": "DeviceNotFound", "desc": "no bus"}, "id": asked["id"]})).await;
    };
    let asking = async {
        let status: Value = monitor.execute("query-status", none()).await.unwrap();
        assert_eq!(status["status"], "paused");
        let added = monitor.execute::<Value>("device_add", json!({"driver": "virtio-blk"})).await;
        assert_eq!(added.unwrap_err().to_string(), "device_add: no bus (DeviceNotFound)");
    };
    tokio::join!(played, asking);
    let event = events.recv().await.unwrap();
    assert_eq!((event.name.as_str(), &event.data["by"]), ("STOP", &json!("hand")));
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_nobodys() {
    let (monitor, mut qemu) = open().await;
    let first = monitor.execute_within::<Value>(Duration::from_secs(1), "slow", none()).await;
    assert!(matches!(first, Err(Error::Late { .. })), "{first:?}");
    assert_eq!(qemu.hear().await["execute"], "slow");
    // Its turn never came, so it is not carried out when the slow one is done.
    let second = monitor.execute_within::<Value>(Duration::from_secs(1), "forgotten", none()).await;
    assert!(matches!(second, Err(Error::Late { .. })), "{second:?}");
    qemu.say(&json!({"return": "late", "id": 1})).await;
    let played = async {
        let asked = qemu.hear().await;
        assert_eq!(asked["execute"], "third");
        qemu.say(&json!({"return": "third", "id": asked["id"]})).await;
    };
    let (third, ()) = tokio::join!(monitor.execute::<String>("third", none()), played);
    assert_eq!(third.unwrap(), "third");
}

#[tokio::test]
async fn when_it_goes_away_everybody_is_told() {
    let (monitor, mut qemu) = open().await;
    let asked = monitor.execute::<Value>("quit", none());
    let waiting = monitor.execute::<Value>("query-status", none());
    let played = async {
        qemu.hear().await;
        drop(qemu);
    };
    let (asked, waiting, ()) = tokio::join!(asked, waiting, played);
    assert!(matches!(asked, Err(Error::Gone(_))) && matches!(waiting, Err(Error::Gone(_))));
    monitor.gone().await;
    assert!(matches!(monitor.execute::<Value>("cont", none()).await, Err(Error::Gone(_))));
}

#[tokio::test]
async fn nonsense_ends_the_conversation() {
    for nonsense in [&b"{\"return\": \n"[..], b"7\n", &vec![b' '; qmp::LONGEST + 2]] {
        let (monitor, mut qemu) = open().await;
        let played = async {
            qemu.hear().await;
            let _ = qemu.stream.get_mut().write_all(nonsense).await;
        };
        let (answer, ()) = tokio::join!(monitor.execute::<Value>("query-status", none()), played);
        assert!(matches!(answer, Err(Error::Gone(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_queue_has_an_end() {
    let (monitor, _qemu) = open().await;
    let many = (0..WAITING + 2).map(|_| monitor.execute::<Value>("slow", none()));
    let mut asked: Vec<_> = many.map(Box::pin).collect();
    let mut busy = 0;
    for ask in &mut asked {
        let outcome = tokio::select! {
            biased;
            outcome = ask => Some(outcome),
            () = std::future::ready(()) => None,
        };
        busy += usize::from(matches!(outcome, Some(Err(Error::Busy))));
    }
    assert!((1..=2).contains(&busy), "{busy}");
}

#[tokio::test]
async fn what_was_not_expected_is_said() {
    let (monitor, mut qemu) = open().await;
    let played = async {
        let asked = qemu.hear().await;
        qemu.say(&json!({"return": {"status": "running"}, "id": asked["id"]})).await;
    };
    let (answer, ()) = tokio::join!(monitor.execute::<u64>("query-status", none()), played);
    assert!(matches!(answer, Err(Error::Unexpected { .. })), "{answer:?}");
}
