//! Asks the admin pages over a real socket, as a browser, a load balancer and Prometheus would.
use posthouse_admin::{Admin, Facts, Host};
use posthouse_engine::{MailWatch, ShardStatus, Status};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Default)]
struct Fake {
    latched: AtomicBool,
}

impl Host for Fake {
    fn facts(&self) -> Facts {
        Facts { hostname: "mx.example.test".into(), runtime: "tokio".into(), ..Facts::default() }
    }
    fn status(&self) -> Status {
        let latched = self.latched.load(Ordering::SeqCst).then(|| "disk gone".to_owned());
        Status { shards: vec![ShardStatus { name: "0".into(), latched, ..Default::default() }] }
    }
    fn mail(&self) -> MailWatch {
        MailWatch { alarms: 3, ..MailWatch::default() }
    }
    fn accounts(&self) -> u64 {
        2
    }
    fn has_domain(&self, domain: &str) -> bool {
        domain == "example.test"
    }
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("asked");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("answered");
    reply
}

#[test]
fn pages_answer_and_health_follows_the_store() {
    let host = Arc::new(Fake::default());
    let admin = Admin::start(&["127.0.0.1:0".parse().expect("an address")], host.clone()).expect("started");
    let address = admin.local_addrs()[0];
    assert!(get(address, "/").contains("Posthouse on mx.example.test"));
    assert!(get(address, "/").contains("3 times since the start mail that was answered 250"));
    let metrics = get(address, "/metrics");
    assert!(metrics.contains("posthouse_accounts 2") && metrics.contains("posthouse_mail_alarms_total 3"), "{metrics}");
    assert!(get(address, "/health").starts_with("HTTP/1.1 200"));
    host.latched.store(true, Ordering::SeqCst);
    let sick = get(address, "/health");
    assert!(sick.starts_with("HTTP/1.1 503") && sick.contains("disk gone"), "{sick}");
    assert!(get(address, "/nothing").starts_with("HTTP/1.1 404"));
    drop(admin);
    assert!(TcpStream::connect(address).is_err(), "it listens after its end");
}

#[test]
fn a_taken_address_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = taken.local_addr().expect("an address");
    let error = Admin::start(&[address], Arc::new(Fake::default())).err().expect("refused").to_string();
    assert!(error.contains(&format!("listener admin on {address}")), "{error}");
}
