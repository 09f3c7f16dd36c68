//! Whether `posthouse-load` believes a server that does nothing of what it says. Measures nothing.
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

/// Messages that the server says it has.
const EXISTS: u64 = 3;

/// Serves IMAP to everybody who comes: every command is answered OK, and FETCH with responses for `fetched`.
fn server(fetched: &'static [u64]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it has one");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that has heard enough goes away.
            std::thread::spawn(move || drop(answer(&stream, fetched)));
        }
    });
    addr
}

fn answer(stream: &TcpStream, fetched: &[u64]) -> std::io::Result<()> {
    let mut out = stream;
    out.write_all(b"* OK ready\r\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
        let mut told = String::new();
        if command.starts_with("SELECT") {
            told = format!("* {EXISTS} EXISTS\r\n");
        } else if command.starts_with("SEARCH") {
            told = "* SEARCH\r\n".into();
        } else if command.starts_with("FETCH") {
            told = fetched.iter().map(|number| format!("* {number} FETCH (FLAGS ())\r\n")).collect();
        }
        out.write_all(format!("{told}{tag} OK done\r\n").as_bytes())?;
    }
    Ok(())
}

/// The exit code of the load generator, and what it had to say.
fn load(addr: SocketAddr, argv: &[&str]) -> (Option<i32>, String) {
    let (work, rest) = argv.split_first().expect("a kind of work");
    let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse-load"));
    let done = command.args([work, "--addr", &addr.to_string(), "--accounts", "1"]).args(rest).output();
    let done = done.expect("it starts");
    let said = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn changes_that_a_server_only_says_it_made_are_errors() {
    let addr = server(&[]);
    for what in ["store-one", "store-all"] {
        let (code, said) = load(addr, &["change", "--what", what, "--count", "2"]);
        assert_eq!(code, Some(1), "{what}: {said}");
        assert!(said.contains("SEARCH"), "{what}: {said}");
    }
}

#[test]
fn each_message_is_to_be_fetched_once_and_in_order() {
    for (fetched, what, expected) in [
        (&[1, 2, 3][..], "flags", 0),
        (&[1, 1, 3], "flags", 1),
        (&[1, 3, 2], "flags", 1),
        (&[1, 2], "flags", 1),
        (&[1, 2, 3, 4], "flags", 1),
        (&[1, 3], "flags-gaps", 0),
        (&[1, 2], "flags-gaps", 1),
    ] {
        let (code, said) = load(server(fetched), &["imap", "--what", what]);
        assert_eq!(code, Some(expected), "{what} {fetched:?}: {said}");
    }
}
