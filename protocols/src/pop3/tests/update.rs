//! The UPDATE state and the lock: QUIT removes what was deleted and nothing else does, one session at a time.
use super::{MAILS, Pop3Service, append, ask, filled, logged_in, service};
use crate::limits;
use crate::runtime::sim;
use crate::testing::{play, shared_on};
use posthouse_engine::base::{MailboxId, Uid};
use posthouse_engine::disk::sim::{Fault, SimDisk};
use posthouse_engine::index::UidSet;
use std::sync::Arc;

#[test]
fn quit_removes_what_is_deleted() {
    let service = service(filled());
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "DELE 3").await, "+OK Message 3 deleted");
        assert_eq!(ask(&mut client, "DELE 1").await, "+OK Message 1 deleted");
        assert_eq!(ask(&mut client, "QUIT now").await, "-ERR No argument is expected");
        assert_eq!(ask(&mut client, "QUIT").await, "+OK Bye");
        assert!(client.read_to_end().await.is_empty());
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "STAT").await, "+OK 1 27");
        assert_eq!(ask(&mut client, "LIST 1").await, "+OK 1 27");
    });
}

#[test]
fn nothing_is_removed_without_quit() {
    let service = service(filled());
    sim::run(move |net| async move {
        for rude in [true, false] {
            let mut client = logged_in(&net, &service, "ann@example.org").await;
            assert_eq!(ask(&mut client, "DELE 1").await, "+OK Message 1 deleted");
            if rude {
                client.close();
            } else {
                client.shutdown();
                assert!(client.read_to_end().await.is_empty());
            }
        }
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "DELE 1").await, "+OK Message 1 deleted");
        assert_eq!(ask(&mut client, "RSET").await, "+OK 3 messages (107 octets)");
        assert_eq!(ask(&mut client, "QUIT").await, "+OK Bye");
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "STAT").await, "+OK 3 107");
    });
}

/// While very many messages are removed, nobody else's change can be made: it is cut.
#[test]
fn quit_removes_very_many_in_several_commits() {
    let shared = filled();
    let engine = shared.engine.clone();
    let account = engine.directory(|directory| directory.login("ann@example.org").map(|account| account.id));
    let account = account.expect("a member");
    let inbox = || engine.mailbox(account, MailboxId::INBOX).expect("INBOX");
    while inbox().entries.len() <= limits::COMMIT_MESSAGES_MAX {
        let all = UidSet::range(Uid(1), Uid(u32::MAX));
        engine.copy(account, MailboxId::INBOX, all, MailboxId::INBOX).wait().expect("copied");
    }
    let (count, before) = (inbox().entries.len(), inbox().highest_modseq.0);
    let after = {
        let service = service(shared);
        sim::run(move |net| async move {
            let mut client = logged_in(&net, &service, "ann@example.org").await;
            for first in (1..=count).step_by(1000) {
                let numbers = first..=count.min(first + 999);
                let commands: String = numbers.clone().map(|number| format!("DELE {number}\r\n")).collect();
                assert!(client.write(commands.as_bytes()).await);
                for _ in numbers {
                    assert!(client.read_line().await.starts_with(b"+OK"));
                }
            }
            assert_eq!(ask(&mut client, "QUIT").await, "+OK Bye");
        });
        inbox()
    };
    assert_eq!((after.entries.len(), after.highest_modseq.0 - before), (0, 2));
}

#[test]
fn one_session_at_a_time_has_the_maildrop() {
    play(
        service(filled()),
        "S: +OK ...
         C: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S: +OK 3 messages ...
         S2: +OK ...
         C2: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S2: -ERR [IN-USE] ...
         C2: STAT
         S2: -ERR Log in first
         C2: USER ann@example.org
         S2: +OK ...
         C2: PASS wrong
         S2: -ERR [AUTH] ...
         S3: +OK ...
         C3: AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S3: +OK 0 messages ...
         C: DELE 1
         S: +OK ...
         C: QUIT
         S: +OK Bye
         C2: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S2: +OK 2 messages (68 octets)",
    );
}

#[test]
fn quit_tells_when_the_disk_fails() {
    let disk = SimDisk::new(1);
    let shared = shared_on(disk.clone());
    append(&shared, "ann@example.org", &MAILS);
    let shared = Arc::new(shared);
    let service = Pop3Service::new(shared);
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "DELE 1").await, "+OK Message 1 deleted");
        // The logs of logins and of mail write for themselves, so it is not known which call is the one.
        (0..32).for_each(|call| disk.fail_at(disk.ops() + call, Fault::SyncFails));
        assert_eq!(ask(&mut client, "QUIT").await, "-ERR [SYS/TEMP] Some deleted messages were not removed");
        assert!(client.read_to_end().await.is_empty());
        // The lock is free all the same (RFC 1939 section 6).
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "STAT").await, "+OK 3 107");
    });
}
