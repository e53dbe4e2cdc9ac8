//! A client that says what it is told to, and shows what it hears on one line.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::wire::fuzzing::FakeHost;
use crate::wire::{Control, Ending, Options, Transport, serve};

/// Of a pipe, if a test needs no narrow one.
pub(super) const PIPE: usize = 1 << 16;

/// A message.
pub(super) fn m(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// A startup packet: of a version, with names and values.
pub(super) fn startup(minor: u8, parameters: &[&str]) -> Vec<u8> {
    let mut body = vec![0, 3, 0, minor];
    for text in parameters {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    packet(&body)
}

/// Something without a type.
pub(super) fn packet(body: &[u8]) -> Vec<u8> {
    m(0, body)[1..].to_vec()
}

/// A conversation in short: `Q select 1`, `P name sql…`, `B portal statement parameters…`, `D S name`,
/// `C P name`, `E portal max`, `S`, `H`, `X`, `d data`, `c`, `f why`; several with ` | ` between them. `_` is the
/// empty name.
pub(super) fn say(script: &str) -> Vec<u8> {
    script.split(" | ").flat_map(message).collect()
}

fn message(script: &str) -> Vec<u8> {
    let (tag, rest) = script.split_once(' ').unwrap_or((script, ""));
    let tag = tag.as_bytes()[0];
    let name = |word: Option<&str>| format!("{}\0", word.unwrap_or_default().trim_matches('_'));
    let mut words = rest.split(' ');
    let body = match tag {
        b'Q' | b'f' => format!("{rest}\0").into_bytes(),
        b'd' => rest.replace("\\n", "\n").into_bytes(),
        b'P' => {
            let (of, sql) = rest.split_once(' ').unwrap_or((rest, ""));
            format!("{}{sql}\0\0\0", name(Some(of))).into_bytes()
        }
        b'B' => bind(&name(words.next()), &name(words.next()), &words.collect::<Vec<_>>()),
        b'D' | b'C' => {
            let kind = words.next().unwrap_or_default();
            format!("{kind}{}", name(words.next())).into_bytes()
        }
        b'E' => {
            let portal = name(words.next());
            let max: i32 = words.next().map_or(0, |max| max.parse().unwrap());
            [portal.as_bytes(), &max.to_be_bytes()].concat()
        }
        _ => Vec::new(),
    };
    m(tag, &body)
}

fn bind(portal: &str, statement: &str, values: &[&str]) -> Vec<u8> {
    let mut body = [portal.as_bytes(), statement.as_bytes(), &[0, 0]].concat();
    body.extend_from_slice(&u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        if *value == "NULL" {
            body.extend_from_slice(&(-1_i32).to_be_bytes());
        } else {
            body.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
            body.extend_from_slice(value.as_bytes());
        }
    }
    body.extend_from_slice(&[0, 0]);
    body
}

pub(super) struct Talk {
    stream: Option<DuplexStream>,
    heard: Vec<u8>,
    pub(super) control: Control,
}

impl Talk {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream {
            stream.write_all(bytes).await.unwrap();
        }
    }

    /// What comes until nothing more does. The clock is paused: its time passes only when everybody waits.
    pub(super) async fn hear(&mut self) -> String {
        let bytes = self.hear_bytes().await;
        self.heard = bytes.0;
        let mut shown = self.show();
        if bytes.1 {
            shown.push_str("EOF ");
        }
        shown.trim_end().to_owned()
    }

    pub(super) async fn hear_bytes(&mut self) -> (Vec<u8>, bool) {
        let mut bytes = std::mem::take(&mut self.heard);
        let Some(stream) = &mut self.stream else { return (bytes, true) };
        loop {
            tokio::select! {
                biased;
                read = stream.read_buf(&mut bytes) => if read.unwrap() == 0 {
                    return (bytes, true);
                },
                () = tokio::time::sleep(Duration::from_millis(1)) => return (bytes, false),
            }
        }
    }

    /// Says it, and hears what comes of it.
    pub(super) async fn ask(&mut self, script: &str) -> String {
        self.send(&say(script)).await;
        self.hear().await
    }

    pub(super) async fn ask_bytes(&mut self, bytes: &[u8]) -> String {
        self.send(bytes).await;
        self.hear().await
    }

    pub(super) async fn close_writing(&mut self) {
        self.stream.as_mut().unwrap().shutdown().await.unwrap();
    }

    pub(super) fn hang_up(&mut self) {
        self.stream = None;
    }

    /// Whole messages on one line: types, and what matters of them. The rest stays.
    fn show(&mut self) -> String {
        let mut shown = String::new();
        while let Some((tag, body)) = self.next() {
            show(&mut shown, tag, &body);
        }
        shown
    }

    fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let tag = *self.heard.first()?;
        let length = u32::from_be_bytes(*self.heard.get(1..5)?.first_chunk()?) as usize;
        let body = self.heard.get(5..length + 1)?.to_vec();
        self.heard.drain(..length + 1);
        Some((tag, body))
    }
}

fn show(shown: &mut String, tag: u8, body: &[u8]) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let texts: Vec<String> = body.split(|byte| *byte == 0).map(text).collect();
    match tag {
        b'E' | b'N' => {
            let field = |name: char| texts.iter().find_map(|text| text.strip_prefix(name)).unwrap_or("");
            let (kind, state, what) = (field('S'), field('C'), field('M'));
            write!(shown, "{}[{kind} {state} {what}] ", char::from(tag)).unwrap();
        }
        b'C' => write!(shown, "C[{}] ", texts[0]).unwrap(),
        b'Z' => write!(shown, "Z{} ", text(body)).unwrap(),
        b'D' => write!(shown, "D[{}] ", values(body).join(",")).unwrap(),
        b'd' => write!(shown, "d[{}] ", text(body).escape_debug()).unwrap(),
        b'S' => write!(shown, "S[{}={}] ", texts[0], texts[1]).unwrap(),
        b'T' | b't' => {
            let count = u16::from_be_bytes([body[0], body[1]]);
            write!(shown, "{}{count} ", char::from(tag)).unwrap();
        }
        b'R' => write!(shown, "R{} ", body[3]).unwrap(),
        b'K' => write!(shown, "K{} ", body.len()).unwrap(),
        b'v' => write!(shown, "v[3.{} {}] ", body[3], text(&body[8..]).replace('\0', " ").trim()).unwrap(),
        _ => write!(shown, "{} ", char::from(tag)).unwrap(),
    }
}

fn values(body: &[u8]) -> Vec<String> {
    let mut rest = &body[2..];
    let mut values = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = i32::from_be_bytes(*length);
        let length = usize::try_from(length).ok();
        let (value, behind) = behind.split_at(length.unwrap_or(0));
        values
            .push(length.map_or_else(|| "NULL".to_owned(), |_| String::from_utf8_lossy(value).into_owned()));
        rest = behind;
    }
    assert_eq!(values.len(), usize::from(u16::from_be_bytes([body[0], body[1]])));
    values
}

/// A connection from its first byte on.
pub(super) async fn play_raw(
    host: &FakeHost,
    options: &Options,
    transport: impl FnOnce(DuplexStream) -> Transport,
    script: impl AsyncFnOnce(&mut Talk),
) -> Ending {
    let (near, far) = tokio::io::duplex(PIPE);
    let control = Control::new();
    let mut talk = Talk { stream: Some(far), heard: Vec::new(), control: control.clone() };
    let transport = transport(near);
    let client = async {
        script(&mut talk).await;
        talk.hang_up();
    };
    tokio::join!(serve(host, transport, options, &control), client).0
}

/// A connection of somebody who is in.
pub(super) async fn play(script: impl AsyncFnOnce(&mut Talk)) -> (Ending, FakeHost) {
    let host = FakeHost::default();
    let ending = play_with(&host, &Options::new([0; 32]), script).await;
    (ending, host)
}

pub(super) async fn play_with(
    host: &FakeHost,
    options: &Options,
    script: impl AsyncFnOnce(&mut Talk),
) -> Ending {
    play_raw(host, options, plain, async |talk: &mut Talk| {
        talk.send(&startup(0, &["user", "trusted"])).await;
        assert_eq!(talk.hear().await, "R0 S[server_version=15.0] K8 ZI");
        script(talk).await;
    })
    .await
}

pub(super) fn plain(near: DuplexStream) -> Transport {
    Transport { stream: Box::new(near), security: None }
}

/// Says and hears, row by row, each on the connection of the one before.
pub(super) async fn all(talk: &mut Talk, rows: &[(&str, &str)]) {
    for (said, heard) in rows {
        assert_eq!(talk.ask(said).await, *heard, "{said}");
    }
}
