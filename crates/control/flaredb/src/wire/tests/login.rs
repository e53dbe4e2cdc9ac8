//! Passwords: good, bad, of nobody; bound to the channel, and to the wrong one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};

use crate::wire::fuzzing::FakeHost;
use crate::wire::host::{ChannelBinding, Security, Transport};
use crate::wire::options::Options;
use crate::wire::startup::Verifier;
use crate::wire::tests::talk::{Talk, m, plain, play_raw, startup};
use crate::wire::tests::tls::CERTIFICATE;

const FAILED: &str = "E[FATAL 28P01 password authentication failed for user \"me\"] EOF";

fn certificate() -> Vec<u8> {
    STANDARD.decode(CERTIFICATE).unwrap()
}

fn host(binds: bool) -> FakeHost {
    let verifier = Verifier::of_password("pencil", b"0123456789abcdef", 4096).unwrap();
    let binding = binds.then(|| ChannelBinding::of_certificate(&certificate()).unwrap());
    FakeHost {
        passwords: [("me".to_owned(), verifier)].into(),
        security: Security { binding, ..Security::default() },
        ..FakeHost::default()
    }
}

/// Over TLS, or what stands for it here.
async fn secured(host: &FakeHost, script: impl AsyncFnOnce(&mut Talk)) {
    let security = host.security.clone();
    let transport = |near| Transport { stream: Box::new(near), security: Some(security) };
    play_raw(host, &Options::new([0; 32]), transport, script).await;
}

/// What a client does, right or wrong.
struct Proof<'a> {
    user: &'a str,
    password: &'a str,
    mechanism: &'a str,
    /// The GS2 header.
    header: &'a str,
    /// What the client takes for the hash of the certificate.
    bound: &'a [u8],
}

const PLAIN: Proof<'static> =
    Proof { user: "me", password: "pencil", mechanism: "SCRAM-SHA-256", header: "n,,", bound: b"" };

/// The parts of a challenge: nonce, salt, rounds.
struct Challenge {
    text: String,
    nonce: String,
    salt: Vec<u8>,
    rounds: u32,
}

impl Proof<'_> {
    /// Up to the challenge. An error is what the client heard instead.
    async fn begin(&self, talk: &mut Talk) -> Result<Challenge, String> {
        talk.send(&startup(0, &["user", self.user])).await;
        let offered = talk.hear_bytes().await.0;
        assert_eq!(offered[..9], [b'R', 0, 0, 0, u8::try_from(offered.len()).unwrap() - 1, 0, 0, 0, 10]);
        let first = format!("{}n=,r=clientnonce", self.header);
        let length = u32::try_from(first.len()).unwrap().to_be_bytes();
        let body = [self.mechanism.as_bytes(), &[0], &length, first.as_bytes()].concat();
        talk.send(&m(b'p', &body)).await;
        let (heard, ended) = talk.hear_bytes().await;
        if heard.first() != Some(&b'R') {
            return Err(error_text(&heard, ended));
        }
        let text = String::from_utf8(heard[9..].to_vec()).unwrap();
        let mut parts = text.split(',').map(|part| &part[2..]);
        let (nonce, salt) =
            (parts.next().unwrap().to_owned(), STANDARD.decode(parts.next().unwrap()).unwrap());
        assert!(nonce.starts_with("clientnonce") && nonce.len() > 20);
        let rounds = parts.next().unwrap().parse().unwrap();
        Ok(Challenge { text, nonce, salt, rounds })
    }

    /// The last message, and what is heard of it.
    async fn finish(&self, talk: &mut Talk, challenge: &Challenge) -> String {
        let bound = STANDARD.encode([self.header.as_bytes(), self.bound].concat());
        let without = format!("c={bound},r={}", challenge.nonce);
        let proof = self.proof(challenge, &without);
        talk.ask_bytes(&m(b'p', format!("{without},p={}", STANDARD.encode(proof)).as_bytes())).await
    }

    fn proof(&self, challenge: &Challenge, without: &str) -> Vec<u8> {
        let rounds = challenge.rounds.try_into().unwrap();
        let mut salted = [0; 32];
        let password = self.password.as_bytes();
        ring::pbkdf2::derive(
            ring::pbkdf2::PBKDF2_HMAC_SHA256,
            rounds,
            &challenge.salt,
            password,
            &mut salted,
        );
        let sign = |key: &[u8], text: &[u8]| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
        };
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        let message = format!("n=,r=clientnonce,{},{without}", challenge.text);
        let signature = sign(stored_key.as_ref(), message.as_bytes());
        client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect()
    }

    async fn all(&self, talk: &mut Talk) -> String {
        match self.begin(talk).await {
            Ok(challenge) => self.finish(talk, &challenge).await,
            Err(heard) => heard,
        }
    }
}

/// The texts of an error, since only its message is shown elsewhere.
fn error_text(heard: &[u8], ended: bool) -> String {
    let texts: Vec<String> =
        heard.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    let field = |name: char| texts.iter().find_map(|text| text.strip_prefix(name)).unwrap_or_default();
    format!("{} {}{}", field('C'), field('M'), if ended { " EOF" } else { "" })
}

const LET_IN: &str = "R12 R0 S[server_version=15.0] K8 ZI";

#[tokio::test(start_paused = true)]
async fn only_the_right_password_lets_in() {
    for (proof, heard) in [
        (PLAIN, LET_IN),
        (Proof { password: "Pencil", ..PLAIN }, FAILED),
        (Proof { header: "y,,", ..PLAIN }, LET_IN),
    ] {
        let host = host(false);
        play_raw(&host, &Options::new([0; 32]), plain, async |talk: &mut Talk| {
            assert_eq!(proof.all(talk).await, heard);
        })
        .await;
        assert_eq!(host.log.take().is_empty(), heard == FAILED);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_learns_whether_a_user_exists() {
    let mut salts = Vec::new();
    for (user, key) in [("nobody", 1), ("nobody", 1), ("somebody", 1), ("nobody", 2), ("me", 1)] {
        let options = Options::new([key; 32]);
        play_raw(&host(false), &options, plain, async |talk: &mut Talk| {
            let proof = Proof { user, password: "guess", ..PLAIN };
            let challenge = proof.begin(talk).await.unwrap_or_else(|heard| panic!("{heard}"));
            assert_eq!((challenge.rounds, challenge.salt.len()), (4096, 16), "{user}");
            assert_eq!(
                proof.finish(talk, &challenge).await,
                FAILED.replace("\"me\"", &format!("\"{user}\""))
            );
            salts.push(challenge.salt);
        })
        .await;
    }
    assert_eq!(salts[0], salts[1], "it stays");
    assert!(salts[0] != salts[2] && salts[0] != salts[3]);
}

#[tokio::test(start_paused = true)]
async fn a_proof_is_bound_to_the_certificate() {
    let hash = digest::digest(&digest::SHA256, &certificate());
    let plus = Proof {
        mechanism: "SCRAM-SHA-256-PLUS",
        header: "p=tls-server-end-point,,",
        bound: hash.as_ref(),
        ..PLAIN
    };
    for (proof, heard) in [
        (&plus, LET_IN),
        (&PLAIN, LET_IN),
        (&Proof { password: "Pencil", ..plus }, FAILED),
        (&Proof { bound: &[7; 32], ..plus }, "E[FATAL 28000 SCRAM channel binding check failed] EOF"),
        (&Proof { bound: b"", ..plus }, "E[FATAL 28000 SCRAM channel binding check failed] EOF"),
        (&Proof { header: "n,,", ..plus }, "08P01 malformed SCRAM message EOF"),
        (&Proof { header: "p=tls-unique,,", ..plus }, "08P01 malformed SCRAM message EOF"),
        (&Proof { mechanism: "SCRAM-SHA-256", ..plus }, "08P01 malformed SCRAM message EOF"),
        (&Proof { header: "y,,", ..PLAIN }, "28000 SCRAM channel binding negotiation error EOF"),
    ] {
        secured(&host(true), async |talk: &mut Talk| {
            assert_eq!(proof.all(talk).await, heard, "{} {}", proof.mechanism, proof.header);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_offered_depends_on_the_channel() {
    for (binds, offered) in
        [(false, &b"SCRAM-SHA-256\0\0"[..]), (true, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")]
    {
        secured(&host(binds), async |talk: &mut Talk| {
            talk.send(&startup(0, &["user", "me"])).await;
            assert_eq!(talk.hear_bytes().await.0[9..], *offered);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_exchange_is_refused() {
    let invalid = "E[FATAL 08P01 client selected an invalid SASL authentication mechanism] EOF";
    let malformed = "E[FATAL 08P01 malformed SCRAM message] EOF";
    let short = "E[FATAL 08P01 insufficient data left in message] EOF";
    let too_long = "E[FATAL 08P01 invalid message length] EOF";
    for (said, heard) in [
        (m(b'p', b"SCRAM-SHA-1\0\0\0\0\x03n,,"), invalid),
        (m(b'p', b"SCRAM-SHA-256-PLUS\0\0\0\0\x03n,,"), invalid),
        (m(b'p', b"pencil\0"), short),
        (m(b'p', b"SCRAM-SHA-256\0\xff\xff\xff\xff"), malformed),
        (m(b'p', b"SCRAM-SHA-256\0\0\0\0\x03n,,"), malformed),
        (m(b'p', b"SCRAM-SHA-256\0\0\0\0\x0cn,,n=,r=\xff\xffxx"), malformed),
        (m(b'p', b"SCRAM-SHA-256\0\0\0\0\x0cn,a=x,n=,r=x"), malformed),
        (m(b'p', b"SCRAM-SHA-256\0\0\0\0\x01n,,"), "E[FATAL 08P01 invalid message format] EOF"),
        (m(b'p', &[b'x'; 1025]), too_long),
        (m(b'Q', b"select 1\0"), "E[FATAL 08P01 expected SASL response, got message type 81] EOF"),
    ] {
        play_raw(&host(false), &Options::new([0; 32]), plain, async |talk: &mut Talk| {
            talk.send(&startup(0, &["user", "me"])).await;
            talk.hear_bytes().await;
            assert_eq!(talk.ask_bytes(&said).await, heard, "{said:?}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_message_that_was_not_asked_for_is_refused() {
    for last in ["", "c=biws", "c=biws,r=other,p=AAAA", "c=biws,r=@,p=!", "c=biws,r=@,p=AAAA", "\u{e4},p="] {
        let host = host(false);
        play_raw(&host, &Options::new([0; 32]), plain, async |talk: &mut Talk| {
            let challenge = PLAIN.begin(talk).await.unwrap_or_else(|heard| panic!("{heard}"));
            let last = last.replace('@', &challenge.nonce);
            let heard = talk.ask_bytes(&m(b'p', last.as_bytes())).await;
            assert_eq!(heard, "E[FATAL 08P01 malformed SCRAM message] EOF", "{last}");
        })
        .await;
        assert!(host.log.take().is_empty());
    }
}

#[test]
fn a_certificate_without_a_hash_binds_nothing() {
    assert!(ChannelBinding::of_certificate(b"no certificate").is_err());
    assert!(ChannelBinding::of_certificate(b"").is_err());
}
