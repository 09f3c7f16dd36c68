//! Starting and stopping: the first members' lines work as they are printed, a taken address is told, signals end it in good order.
mod support;

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use support::{House, Said, installed};

/// Runs one printed line as a person would paste it.
fn paste(house: &House, line: &str) -> Said {
    let done = Command::new("sh").arg("-c").arg(line.trim()).current_dir(house.path()).output();
    done.expect("a shell").into()
}

fn lines_with<'a>(said: &'a str, word: &str) -> Vec<&'a str> {
    said.lines().filter(|line| line.starts_with("  ") && line.contains(word)).collect()
}

#[test]
fn the_first_steps_work_as_they_are_printed() {
    let house = House::new();
    let serving = house.serve(&["--first-members"]);
    let said = serving.said.clone();
    assert!(
        said.contains("alice@example.test  password ") && said.contains("What runs where: http://127.0.0.1:"),
        "{said}"
    );
    if !installed("curl") {
        eprintln!("skipped: curl is not installed");
        return;
    }
    let mut sent = 0;
    let senders = [("swaks ", installed("swaks")), ("--mail-rcpt", true)];
    for (word, _) in senders.iter().filter(|(_, there)| *there) {
        let lines = lines_with(&said, word);
        assert_eq!(lines.len(), 1, "{word}: {said}");
        let done = paste(&house, lines[0]);
        assert_eq!(done.code, 0, "{}\n{}{}\n{}", lines[0], done.out, done.err, house.log());
        sent += 1;
    }
    let reading = lines_with(&said, "MAILINDEX=1")[0];
    let mail = paste(&house, reading).ok();
    assert!(mail.contains("Subject: Hello"), "{mail}");
    let last = paste(&house, &reading.replace("MAILINDEX=1", &format!("MAILINDEX={sent}"))).ok();
    assert!(last.contains("\r\n\r\nHello Bob.\r\n"), "{last}");
    let url = said.split("What runs where: ").nth(1).and_then(|rest| rest.lines().next()).expect("a page");
    let page = paste(&house, &format!("curl --silent --fail {url} {url}health {url}metrics")).ok();
    for part in ["Posthouse on ", "\"healthy\":true", "posthouse_accounts 2"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(serving.stop(), Some(0));
    let again = house.serve(&["--first-members"]);
    assert_eq!(again.said, "ready\n", "the first members are made once");
    assert!(paste_reads_the_same(&house, &again, reading), "the mail is gone after a restart");
}

/// The same mail by the new port.
fn paste_reads_the_same(house: &House, _serving: &support::Serving, reading: &str) -> bool {
    let status = house.json(&["status"]);
    let listeners = status["server"]["listeners"].as_array().cloned().unwrap_or_default();
    let imaps = listeners.iter().find(|listener| listener["name"] == "imaps").expect("imaps");
    let address = imaps["address"].as_str().expect("an address");
    let (before, rest) = reading.split_once("imaps://").expect("a URL");
    let (_, path) = rest.split_once('/').expect("a path");
    paste(house, &format!("{before}imaps://{address}/{path}")).ok().contains("Subject: Hello")
}

#[test]
fn mail_programs_are_told_how_to_set_themselves_up() {
    let house = House::new();
    let serving = house.serve(&["--first-members"]);
    let status = house.json(&["status"]);
    let listeners = status["server"]["listeners"].as_array().cloned().unwrap_or_default();
    let address = |name: &str| {
        let found = listeners.iter().find(|listener| listener["name"] == name).expect("a listener");
        found["address"].as_str().expect("an address").to_owned()
    };
    let (url, imaps) = (format!("http://{}", address("autoconfig")), address("imaps"));
    let port = imaps.rsplit_once(':').expect("a port").1;
    let get = |rest: &str| paste(&house, &format!("curl --silent --write-out '%{{http_code}}' {rest}")).ok();
    let thunderbird = get(&format!("'{url}/mail/config-v1.1.xml?emailaddress=nobody@example.test'"));
    assert!(thunderbird.contains(&format!("<port>{port}</port>")) && thunderbird.ends_with("200"), "{thunderbird}");
    let by_host = get(&format!("-H 'Host: autoconfig.example.test' {url}/mail/config-v1.1.xml"));
    assert_eq!(by_host, thunderbird);
    let profile = get(&format!("'{url}/apple.mobileconfig?email=alice@example.test'"));
    assert!(profile.contains(&format!("<integer>{port}</integer>")) && profile.ends_with("200"), "{profile}");
    for other in [
        "/mail/config-v1.1.xml?emailaddress=a@other.test",
        "/apple.mobileconfig?email=a@other.test",
        "/apple.mobileconfig",
        "/health",
    ] {
        assert!(get(&format!("'{url}{other}'")).ends_with("404"), "{other}");
    }
    let ask =
        |xml: &str| get(&format!("--data '{xml}' -H 'Content-Type: text/xml' {url}/autodiscover/autodiscover.xml"));
    let outlook =
        ask("<Autodiscover><Request><EMailAddress>alice@example.test</EMailAddress></Request></Autodiscover>");
    assert!(outlook.contains(&format!("<Port>{port}</Port>")) && outlook.ends_with("200"), "{outlook}");
    assert!(
        ask("<Autodiscover><Request><EMailAddress>a@other.test</EMailAddress></Request></Autodiscover>")
            .contains("<ErrorCode>500<")
    );
    assert!(ask("<Autodiscover").contains("<ErrorCode>600<"));
    assert!(get(&format!("--data-binary @/bin/sh {url}/autodiscover/autodiscover.xml")).ends_with("413"));
    assert!(get(&format!("{url}/")).contains(port));
    let records = house.run(&["domain", "dns", "example.test"]).ok();
    assert!(records.contains("example.test. IN MX 10 "), "{records}");
    house.run(&["domain", "dns", "other.test"]).refused(3, "other.test");
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn a_taken_address_ends_the_start_and_is_named() {
    let house = House::new();
    // Below the ports that the kernel gives away, so that no other test gets it between.
    let taken = (20000..30000).find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).expect("a free port");
    let address = taken.local_addr().expect("an address");
    std::fs::write(house.config(), format!("data = \"data\"\n[listen]\nimap = [\"{address}\"]\nadmin = []\nautoconfig = []\nsmtp = []\nlmtp = []\nsubmission = []\nsubmissions = []\nimaps = []\npop3 = []\npop3s = []\n")).expect("written");
    house.run(&["serve"]).refused(1, &format!("listener imap on {address}"));
    drop(taken);
    let serving = house.serve(&[]);
    TcpStream::connect(address).expect("served");
    assert_eq!(serving.stop(), Some(0));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn systemd_hears_of_the_start_and_the_stop() {
    let house = House::new();
    let path = house.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).expect("set");
    let mut child = Command::new(support::POSTHOUSE)
        .args(["serve", "--config"])
        .arg(house.config())
        .env("NOTIFY_SOCKET", &path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("started");
    let hear = || {
        let mut buffer = [0; 256];
        let got = socket.recv(&mut buffer).expect("a datagram");
        String::from_utf8_lossy(&buffer[..got]).into_owned()
    };
    assert!(hear().starts_with("READY=1"));
    let kill = Command::new("kill").arg("-INT").arg(child.id().to_string()).status();
    assert!(kill.expect("kill").success());
    assert_eq!(hear(), "STOPPING=1");
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}

/// Root becomes the configured user before anything is opened, and can still listen on a port below 1024.
#[test]
fn root_is_given_up_for_the_configured_user() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let house = House::new();
    if std::fs::metadata(house.path()).expect("there").uid() != 0 {
        // Who is not root has nothing to give up.
        return;
    }
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = (800..1024).rev().find(free).expect("a port below 1024");
    std::fs::set_permissions(house.path(), std::fs::Permissions::from_mode(0o755)).expect("set");
    let quiet = "admin = []\nautoconfig = []\nlmtp = []\nsubmission = []\nsubmissions = []\nimap = []\nimaps = []\npop3 = []\npop3s = []\n";
    let config =
        |user: &str| format!("data = \"data\"\nuser = \"{user}\"\n[listen]\nsmtp = [\"127.0.0.1:{port}\"]\n{quiet}");
    std::fs::write(house.config(), config("who-is-that")).expect("written");
    house.run(&["serve"]).refused(5, "user: \"who-is-that\" is not in /etc/passwd");
    std::fs::write(house.config(), config("nobody")).expect("written");
    let serving = house.serve(&[]);
    TcpStream::connect(("127.0.0.1", port)).expect("served");
    let status = std::fs::read_to_string(format!("/proc/{}/status", serving.pid())).expect("a process");
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    let nobody = std::fs::metadata(house.path().join("data")).expect("made").uid();
    assert_ne!(nobody, 0);
    assert_eq!(field("Uid:").split_whitespace().collect::<Vec<_>>(), vec![nobody.to_string(); 4]);
    assert_eq!((field("Groups:"), field("NoNewPrivs:")), ("", "1"));
    assert_eq!(
        (field("CapEff:"), field("CapInh:"), field("CapAmb:")),
        ("0000000000000400", "0000000000000000", "0000000000000000")
    );
    assert_eq!(serving.stop(), Some(0));
}

/// systemd reads what `posthouse unit` prints, and finds few rights in it.
#[test]
fn the_unit_is_one_that_systemd_reads() {
    let house = House::new();
    let unit = house.run(&["unit", "--user", "mail"]).ok();
    let path = house.path().join("posthouse.service");
    std::fs::write(&path, &unit).expect("written");
    assert!(
        unit.contains(&format!("ExecStart={} serve --config {}", support::POSTHOUSE, house.config().display())),
        "{unit}"
    );
    let analyze = |arguments: &[&str]| Command::new("systemd-analyze").args(arguments).arg(&path).output();
    let Ok(verified) = analyze(&["verify", "--man=no"]) else {
        // No systemd here: the words of the unit are held by the tests beside it.
        return;
    };
    let told = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !told.contains("posthouse.service"), "{told}");
    // 20 of 100: what is left is mostly the network, which a mail server needs.
    let rated = analyze(&["security", "--offline=yes", "--threshold=20"]).expect("started");
    assert!(rated.status.success(), "{}", String::from_utf8_lossy(&rated.stdout));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let house = House::new();
    let mut config = std::fs::read_to_string(house.config()).expect("read");
    config.push_str("[limits]\nstop_grace_seconds = 3600\n");
    std::fs::write(house.config(), config).expect("written");
    let serving = house.serve(&[]);
    let status = house.json(&["status"]);
    let listeners = status["server"]["listeners"].as_array().cloned().expect("listeners");
    let imaps = listeners.iter().find(|listener| listener["name"] == "imaps").expect("imaps");
    // In the middle of a TLS handshake nobody hears of a stop, so the grace would be waited for.
    let held = TcpStream::connect(imaps["address"].as_str().expect("an address")).expect("connected");
    serving.signal("TERM");
    while !house.log().contains("a second signal stops at once") {
        std::thread::yield_now();
    }
    let begun = std::time::Instant::now();
    let code = serving.stop();
    // Far below the grace, and beyond what the syncs of a stop take on a slow disk.
    assert!(begun.elapsed() < std::time::Duration::from_secs(300) && code.is_some(), "{code:?}");
    drop(held);
}

#[test]
fn the_log_says_what_runs_as_text_or_json() {
    let house = House::new();
    let mut config = std::fs::read_to_string(house.config()).expect("read");
    config = format!("runtime = \"tokio\"\n{config}[log]\nformat = \"json\"\n");
    std::fs::write(house.config(), config).expect("written");
    assert_eq!(house.serve(&[]).stop(), Some(0));
    let log = house.log();
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    assert!(log.contains("tokio") && log.contains("\"stopped\""), "{log}");
}
