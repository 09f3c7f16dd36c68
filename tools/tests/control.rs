//! The control socket against clients that do not keep to its rules: an answer or a close, and the next command is served.
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use support::House;

fn connect(house: &House) -> UnixStream {
    let stream = UnixStream::connect(house.data().join("control.sock")).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(120))).expect("set");
    stream
}

fn answer(stream: &UnixStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    line
}

#[test]
fn bad_lines_are_answered_and_the_socket_goes_on() {
    let house = House::new();
    let serving = house.serve(&[]);
    let mode = |name: &str| std::fs::metadata(house.data().join(name)).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode("control.sock"), 0o600);
    assert_eq!(mode("."), 0o700);
    for bad in ["nonsense\n", "{\"op\":\"explode\"}\n", "\n", "{\"op\":\"list\",\"what\":\"everything\"}\n"] {
        let mut stream = connect(&house);
        stream.write_all(bad.as_bytes()).expect("sent");
        let told = answer(&stream);
        assert!(told.contains("\"answer\":\"failed\"") && told.contains("refused"), "{bad:?}: {told}");
        let mut rest = Vec::new();
        assert_eq!(stream.read_to_end(&mut rest).expect("closed"), 0, "the connection stays open after {bad:?}");
    }
    let mut stream = connect(&house);
    for _ in 0..2 {
        stream.write_all(b"{\"op\":\"status\"}\n").expect("sent");
        assert!(answer(&stream).contains("\"answer\":\"status\""), "several requests on one connection");
    }
    house.run(&["status"]).ok();
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn an_endless_line_is_cut_off() {
    let house = House::new();
    let _serving = house.serve(&[]);
    let mut stream = connect(&house);
    let block = vec![b'x'; 1 << 20];
    // The server stops reading after four MiB; the send fails then, or the answer is there already.
    let sent = (0..64).take_while(|_| stream.write_all(&block).is_ok()).count();
    assert!(sent < 64, "64 MiB without a line end were taken");
    house.run(&["status"]).ok();
}

#[test]
fn too_many_commands_at_once_hear_that() {
    let house = House::new();
    let serving = house.serve(&[]);
    let mut held: Vec<UnixStream> = (0..32).map(|_| connect(&house)).collect();
    for stream in &mut held {
        stream.write_all(b"{\"op\":\"status\"}\n").expect("sent");
        assert!(answer(stream).contains("\"answer\":\"status\""));
    }
    house.run(&["status"]).refused(7, "try again");
    drop(held.pop());
    // The place is free when the server has seen the close: the end of its own side shows that.
    let freed = (0..200).any(|_| house.run(&["status"]).code == 0);
    assert!(freed, "a place that was given back stays taken");
    // Held connections do not hold up the stop.
    assert_eq!(serving.stop(), Some(0));
}

/// SIGTERM; whether it ended in time: more than its syncs take on a slow disk.
fn ends(serving: support::Serving) -> bool {
    let pid = serving.pid();
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(serving.stop()));
    let ended = receiver.recv_timeout(Duration::from_secs(300));
    if ended.is_err() {
        let _ = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    }
    thread.join().expect("joined").expect("sent");
    ended == Ok(Some(0))
}

#[test]
fn a_busy_command_does_not_hold_up_the_stop() {
    let house = House::new();
    let serving = house.serve(&[]);
    // One never pauses between its requests, the other does not read its answers.
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let busy = std::thread::spawn({
        let (mut stream, asked) = (connect(&house), asked.clone());
        move || loop {
            if stream.write_all(b"{\"op\":\"status\"}\n").is_err() {
                return String::new();
            }
            let mut said = String::new();
            let _ = BufReader::new(&stream).read_line(&mut said);
            asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if !said.contains("\"answer\":\"status\"") {
                return said;
            }
        }
    });
    let deaf = std::thread::spawn({
        let mut stream = connect(&house);
        move || while stream.write_all(b"{\"op\":\"status\"}\n").is_ok() {}
    });
    while asked.load(std::sync::atomic::Ordering::SeqCst) < 20 {
        std::thread::yield_now();
    }
    assert!(ends(serving), "it does not stop");
    let said = busy.join().expect("ended");
    assert!(said.is_empty() || said.contains("the server is stopping"), "{said}");
    deaf.join().expect("ended");
}

#[test]
fn a_removed_socket_does_not_hold_up_the_stop() {
    let house = House::new();
    let serving = house.serve(&[]);
    std::fs::remove_file(house.data().join("control.sock")).expect("removed");
    assert!(ends(serving), "it does not stop");
}

#[test]
fn a_socket_left_by_a_crash_is_replaced() {
    let house = House::new();
    let serving = house.serve(&[]);
    serving.signal("KILL");
    drop(serving);
    assert!(house.data().join("control.sock").exists());
    assert!(house.run(&["status"]).ok().contains("no server runs"), "a dead socket is taken for a server");
    let serving = house.serve(&[]);
    assert_eq!(house.json(&["status"])["server"]["pid"], serving.pid());
}
