//! What a server must survive: nonsense, too much, half of something. And pipelining, which is not nonsense.
use super::{filled, logged_in, play_logged_in, service};
use crate::limits;
use crate::runtime::sim;
use crate::testing::{play, shared};

#[test]
fn nonsense_is_an_error() {
    play_logged_in(
        "C: XYZZY
         S: -ERR Unknown command
         C: 
         S: -ERR Unknown command
         C:  STAT
         S: -ERR Unknown command
         C: STA
         S: -ERR Unknown command
         C: STATS
         S: -ERR Unknown command
         C: APOP ann@example.org c4c9334bac560ecc979e58001b3e22fb
         S: -ERR Unknown command
         C: STAT\u{0}
         S: -ERR A NUL is in the command
         C: RETR \u{661}
         S: -ERR One message number is expected
         C: STAT
         S: +OK 3 107",
    );
}

#[test]
fn too_much_nonsense_ends_the_session() {
    let mut script = String::from("S: +OK ...\n");
    for _ in 1..limits::POP3_BAD_MAX {
        script += "C: X\nS: -ERR Unknown command\n";
    }
    // One that is understood, even when it fails, begins the count anew.
    script += "C: AUTH X\nS: -ERR That mechanism is not offered\n";
    for _ in 1..limits::POP3_BAD_MAX {
        script += "C: X\nS: -ERR Unknown command\n";
    }
    script += "C: X\nS: -ERR Too many bad commands; ...\nS: ";
    play(service(shared()), script.leak());
}

#[test]
fn a_line_without_end_is_passed_over() {
    let service = service(filled());
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        let mut line = b"RETR ".to_vec();
        line.resize(limits::POP3_LINE_BYTES_MAX * 3, b'1');
        line.extend_from_slice(b"\r\nNOOP\r\n");
        assert!(client.write(&line).await);
        assert_eq!(client.read_line().await, b"-ERR The line is too long\r\n");
        assert_eq!(client.read_line().await, b"+OK\r\n");
        let endless = vec![b'x'; limits::POP3_SKIP_BYTES_MAX * 2];
        client.write(&endless).await;
        assert_eq!(client.read_to_end().await, b"-ERR The line is too long\r\n");
    });
}

#[test]
fn a_line_as_long_as_allowed_is_taken() {
    let service = service(filled());
    sim::run(move |net| async move {
        let mut client = net.connect(&service);
        client.read_line().await;
        let name = "a".repeat(limits::POP3_LINE_BYTES_MAX - 5);
        client.write(format!("USER {name}\r\nPASS x\r\n").as_bytes()).await;
        assert_eq!(client.read_line().await, b"+OK Now the password\r\n");
        assert_eq!(client.read_line().await, b"-ERR [AUTH] Wrong name or password\r\n");
    });
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let service = service(filled());
    sim::run(move |net| async move {
        net.segment(1);
        let mut client = net.connect(&service);
        client
            .write(
                b"AUTH LOGIN\r\nYW5uQGV4YW1wbGUub3Jn\r\nc2VjcmV0\r\nSTAT\r\nDELE 1\nLIST\r\nRETR 2\r\nQUIT\r\nSTAT\r\n",
            )
            .await;
        let heard = String::from_utf8(client.read_to_end().await).expect("ASCII");
        let expected = "+OK mail.example.org ready\r\n+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK 3 messages (107 octets)\r\n\
            +OK 3 107\r\n+OK Message 1 deleted\r\n+OK 2 messages (68 octets)\r\n2 27\r\n3 41\r\n.\r\n\
            +OK 27 octets\r\nSubject: two\r\n\r\nno line end\r\n.\r\n+OK Bye\r\n";
        assert_eq!(heard, expected);
    });
}

#[test]
fn names_and_passwords_that_are_no_utf8_are_wrong() {
    let service = service(filled());
    sim::run(move |net| async move {
        let mut client = net.connect(&service);
        client
            .write(b"USER \xff\r\nUSER ann@example.org\r\nPASS \xff\r\nUSER ann@example.org\r\nPASS \r\nQUIT\r\n")
            .await;
        let heard = String::from_utf8(client.read_to_end().await).expect("ASCII");
        let answers: Vec<&str> = heard.lines().skip(1).collect();
        let wrong = "-ERR [AUTH] Wrong name or password";
        let ok = "+OK Now the password";
        assert_eq!(answers, [wrong, ok, wrong, ok, "-ERR A password is expected", "+OK Bye"]);
    });
}
