//! No secret reaches a log: passwords, SCRAM proofs, tokens, passwords for relays and providers, signing keys; right or wrong, by every protocol,
//! with everything logged that can be.
mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use support::House;

const NAME: &str = "carol@acme.test";
const RIGHT: &str = "Right-Horse-4711";
const WRONG: &str = "Wrong-Guess-0815";
const TOKEN: &str = "Good.Token-2342";
const NO_TOKEN: &str = "Bad.Token-6666";
const CLIENT_SECRET: &str = "Provider-Secret-99";
const RELAY_PASSWORD: &str = "Relay-Secret-1234";
const TENANT_RELAY_PASSWORD: &str = "Tenant-Relay-5678";

/// A client that says a line and hears one.
struct Talk(BufReader<TcpStream>);

impl Talk {
    fn to(house: &House, name: &str) -> Talk {
        let status = house.json(&["status"]);
        let all = status["server"]["listeners"].as_array().cloned().unwrap_or_default();
        let found = all.iter().find(|one| one["name"] == name).expect("it listens");
        let stream = TcpStream::connect(found["address"].as_str().expect("an address")).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time");
        let mut talk = Talk(BufReader::new(stream));
        talk.hear();
        talk
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn say(&mut self, line: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("sent");
        self.hear()
    }

    /// The last line of an answer of several.
    fn ehlo(&mut self) {
        let mut heard = self.say("EHLO client.test");
        while heard.starts_with("250-") {
            heard = self.hear();
        }
    }

    /// A line, and what an IMAP server says to it in the end.
    fn imap(&mut self, line: &str) -> String {
        let mut heard = self.say(line);
        while heard.starts_with("* ") {
            heard = self.hear();
        }
        heard
    }
}

fn plain(password: &str) -> String {
    STANDARD.encode(format!("\0{NAME}\0{password}"))
}

fn bearer(token: &str) -> String {
    STANDARD.encode(format!("n,a={NAME},\x01auth=Bearer {token}\x01\x01"))
}

/// Everything that members' programs do: each by a right and by a wrong secret.
fn log_in(house: &House) {
    for password in [RIGHT, WRONG] {
        Talk::to(house, "imap").imap(&format!("a LOGIN {NAME} {password}"));
        Talk::to(house, "imap").imap(&format!("a AUTHENTICATE PLAIN {}", plain(password)));
        let mut pop3 = Talk::to(house, "pop3");
        pop3.say(&format!("USER {NAME}"));
        pop3.say(&format!("PASS {password}"));
        Talk::to(house, "pop3").say(&format!("AUTH PLAIN {}", plain(password)));
        let mut smtp = Talk::to(house, "submission");
        smtp.ehlo();
        let said = smtp.say(&format!("AUTH PLAIN {}", plain(password)));
        assert_eq!(said.starts_with("235"), password == RIGHT, "{said}");
        let mut smtp = Talk::to(house, "submission");
        smtp.ehlo();
        smtp.say(&format!("AUTH LOGIN {}", STANDARD.encode(NAME)));
        smtp.say(&STANDARD.encode(password));
    }
    for token in [TOKEN, NO_TOKEN] {
        let mut smtp = Talk::to(house, "submission");
        smtp.ehlo();
        let said = smtp.say(&format!("AUTH OAUTHBEARER {}", bearer(token)));
        assert_eq!(said.starts_with("235"), token == TOKEN, "{said}");
        Talk::to(house, "imap").imap(&format!("a AUTHENTICATE OAUTHBEARER {}", bearer(token)));
    }
}

/// SCRAM-SHA-256 (RFC 7677) by submission; the proof that was sent, and whether it was taken.
fn scram(house: &House, password: &str) -> (String, bool) {
    let mut smtp = Talk::to(house, "submission");
    smtp.ehlo();
    let bare = format!("n={NAME},r=clientnonce");
    let challenge = smtp.say(&format!("AUTH SCRAM-SHA-256 {}", STANDARD.encode(format!("n,,{bare}"))));
    let challenge = challenge.strip_prefix("334 ").expect("a challenge").to_owned();
    let server = String::from_utf8(STANDARD.decode(challenge).expect("base64")).expect("text");
    let part = |key: &str| server.split(',').find_map(|one| one.strip_prefix(key)).expect("an attribute").to_owned();
    let (salt, rounds) = (STANDARD.decode(part("s=")).expect("base64"), part("i=").parse().expect("a number"));
    let mut salted = [0; 32];
    let rounds = NonZeroU32::new(rounds).expect("rounds");
    ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut salted);
    let mac = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec();
    let client_key = mac(&salted, b"Client Key");
    let stored = ring::digest::digest(&ring::digest::SHA256, &client_key);
    let without = format!("c=biws,r={}", part("r="));
    let signature = mac(stored.as_ref(), format!("{bare},{server},{without}").as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect();
    let proof = STANDARD.encode(proof);
    let said = smtp.say(&STANDARD.encode(format!("{without},p={proof}")));
    (proof, said.starts_with("334"))
}

/// An endpoint that knows one token (RFC 7662).
fn provider() -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/introspect", socket.local_addr().expect("it has one"));
    std::thread::spawn(move || {
        for stream in socket.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                loop {
                    let (mut head, mut length) = (String::new(), 0);
                    while !head.ends_with("\r\n\r\n") {
                        let before = head.len();
                        if stream.read_line(&mut head).unwrap_or(0) == 0 {
                            return;
                        }
                        let line = head[before..].to_ascii_lowercase();
                        length =
                            line.strip_prefix("content-length:").map_or(length, |it| it.trim().parse().unwrap_or(0));
                    }
                    let mut body = vec![0; length];
                    stream.read_exact(&mut body).expect("a body");
                    let body = String::from_utf8_lossy(&body).into_owned();
                    let known = body.contains(TOKEN);
                    let text = if known {
                        format!("{{\"active\":true,\"username\":\"{NAME}\",\"client_id\":\"mail\",\"exp\":4102444800}}")
                    } else {
                        "{\"active\":false}".to_owned()
                    };
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
                        text.len()
                    );
                    if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// A relay that takes no login at first and then each; what it heard behind AUTH.
fn relay() -> (String, Receiver<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = format!("localhost:{}", socket.local_addr().expect("it has one").port());
    let (heard, hears) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in socket.incoming().map_while(Result::ok).enumerate() {
            let mut stream = BufReader::new(stream);
            let _ = stream.get_mut().write_all(b"220 relay.test ESMTP\r\n");
            let mut line = String::new();
            while stream.read_line(&mut line).unwrap_or(0) > 0 {
                let word = line.get(..4).unwrap_or("").to_ascii_uppercase();
                let answer = match word.as_str() {
                    "EHLO" => "250-relay.test\r\n250 AUTH PLAIN\r\n",
                    "AUTH" if number == 0 => "535 5.7.8 not you\r\n",
                    "AUTH" => "235 2.7.0 ok\r\n",
                    "DATA" => "354 go\r\n",
                    _ if line == ".\r\n" => "250 2.0.0 taken\r\n",
                    "MAIL" | "RCPT" | "RSET" => "250 2.0.0 ok\r\n",
                    "QUIT" => "221 2.0.0 bye\r\n",
                    _ => "",
                };
                if word == "AUTH" {
                    let _ = heard.send(line.trim_end().to_owned());
                }
                let _ = stream.get_mut().write_all(answer.as_bytes());
                line.clear();
            }
        }
    });
    (place, hears)
}

/// Sends a message to somebody elsewhere.
fn submit(house: &House) {
    let mut smtp = Talk::to(house, "submission");
    smtp.ehlo();
    smtp.say(&format!("AUTH PLAIN {}", plain(RIGHT)));
    smtp.say(&format!("MAIL FROM:<{NAME}>"));
    smtp.say("RCPT TO:<far@else.test>");
    smtp.say("DATA");
    let said = smtp.say(&format!("From: {NAME}\r\nSubject: x\r\n\r\nx\r\n."));
    assert!(said.starts_with("250 "), "{said}");
}

/// All bytes of the files in a folder, which may be missing.
fn bytes_of(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
    files.flat_map(|file| std::fs::read(file.path()).unwrap_or_default()).collect()
}

/// The seeds of Ed25519 keys (RFC 8410 section 7) somewhere below a folder.
fn seeds(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().map_while(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(seeds(&path));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        let header = b"\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        for at in memchr::memmem::find_iter(&bytes, header) {
            found.extend(bytes.get(at + header.len()..at + header.len() + 32).map(<[u8]>::to_vec));
        }
    }
    found
}

fn has(log: &[u8], secret: &[u8]) -> bool {
    memchr::memmem::find(log, secret).is_some()
}

fn configure(house: &House, provider: &str, relay: &str) {
    let file = |name: &str, text: &str| {
        let path = house.path().join(name);
        std::fs::write(&path, format!("{text}\n")).expect("written");
        path.display().to_string()
    };
    let (secret, password) = (file("secret", CLIENT_SECRET), file("password", RELAY_PASSWORD));
    let text = std::fs::read_to_string(house.config()).expect("it is there");
    let outbound = format!(
        "[oauth]\nintrospection_url = '{provider}'\nclient_id = 'posthouse'\nclient_secret_file = '{secret}'\n[log]\nlevel = 'trace'\n\
         [outbound]\nrelay = '{relay}'\nrelay_tls = 'none'\nrelay_user = 'house'\nrelay_password_file = '{password}'\nretry_first_seconds = 1\nretry_max_seconds = 1\n"
    );
    std::fs::write(house.config(), text.replace("[outbound]\nenabled = false\n", &outbound)).expect("written");
}

#[test]
fn no_secret_reaches_a_log() {
    let house = House::new();
    let ((place, relayed), provider) = (relay(), provider());
    configure(&house, &provider, &place);
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    house.run_with_input(&["member", "add", NAME, "--password-stdin"], RIGHT).ok();
    house.run(&["dkim", "add", "acme.test", "--algorithm", "ed25519"]).ok();
    house.run(&["dkim", "rotate", "acme.test"]).ok();
    let serving = house.serve(&[]);
    log_in(&house);
    let (proof, taken) = scram(&house, RIGHT);
    let (no_proof, mistaken) = scram(&house, WRONG);
    assert!(taken && !mistaken);
    submit(&house);
    let mut passwords = Vec::new();
    let next = || relayed.recv_timeout(Duration::from_secs(60)).expect("a login at the relay");
    passwords.extend([next(), next()]);
    let rule = ["rule", "add", "--tenant", "acme", "--password-stdin", "relay", &place, "tls=none", "user=acme"];
    house.run_with_input(&rule, TENANT_RELAY_PASSWORD).ok();
    submit(&house);
    passwords.push(next());
    assert_eq!(serving.stop(), Some(0));

    let mut logs = house.log().into_bytes();
    assert!(has(&logs, b"TRACE") || has(&logs, b"DEBUG"), "all is logged");
    assert!(has(&logs, b"login failed") && has(&logs, NAME.as_bytes()), "logins are");
    for folder in ["mail-log", "logins", "dmarc-log"] {
        let records = bytes_of(&house.data().join(folder));
        assert!(folder == "dmarc-log" || has(&records, NAME.as_bytes()), "{folder} names who logs in");
        logs.extend(records);
    }
    let keys = seeds(&house.data());
    assert!(!keys.is_empty(), "the signing key is in the directory");
    let mut secrets: Vec<Vec<u8>> =
        [RIGHT, WRONG, TOKEN, NO_TOKEN, CLIENT_SECRET, RELAY_PASSWORD, TENANT_RELAY_PASSWORD]
            .iter()
            .flat_map(|secret| [secret.as_bytes().to_vec(), STANDARD.encode(secret).into_bytes()])
            .collect();
    secrets
        .extend([plain(RIGHT), plain(WRONG), bearer(TOKEN), bearer(NO_TOKEN), proof, no_proof].map(String::into_bytes));
    let words = passwords.iter().flat_map(|line| line.split(' ').skip(2));
    secrets.extend(words.map(|word| word.as_bytes().to_vec()));
    secrets.extend(keys.iter().map(|key| STANDARD.encode(key).into_bytes()));
    secrets.extend(keys);
    assert!(secrets.len() >= 25, "{}", secrets.len());
    for secret in &secrets {
        assert!(!has(&logs, secret), "{} stands in a log", secret.escape_ascii());
    }
}
