//! Holds the configuration to its document and to its words about mistakes.
use super::Config;
use std::collections::BTreeSet;

const DOC: &str = include_str!("../../../docs/configuration.md");

/// The rows of the document's tables: key, default, and what is allowed.
fn table() -> Vec<[String; 3]> {
    let cell = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let row = |line: &str| {
        let mut cells = line.split('|').skip(1).map(cell);
        std::array::from_fn(|_| cells.next().expect("three cells"))
    };
    DOC.lines().filter(|line| line.starts_with("| `")).map(row).collect()
}

fn rows() -> Vec<(String, String)> {
    table().into_iter().map(|[key, default, _]| (key, default)).collect()
}

fn error(text: &str) -> String {
    Config::parse("posthouse.toml", text).expect_err(text).to_string()
}

/// The keys that the structs know, learnt from what they answer to a key they do not know.
fn known_keys() -> BTreeSet<String> {
    let allowed = |text: &str| -> Vec<String> {
        let told = error(text);
        let list = told.split("allowed: ").nth(1).expect("a list of keys");
        list.split(", ").map(str::to_owned).collect()
    };
    let mut keys = BTreeSet::new();
    for key in allowed("'?' = 1") {
        let inner = Config::parse("", &format!("[{key}]\n'?' = 1")).expect_err("unknown").to_string();
        if inner.contains("unknown key") {
            keys.extend(allowed(&format!("[{key}]\n'?' = 1")).into_iter().map(|inner| format!("{key}.{inner}")));
        } else {
            keys.insert(key);
        }
    }
    keys
}

#[test]
fn the_document_names_every_key_and_no_other() {
    let documented: BTreeSet<String> = rows().into_iter().map(|(key, _)| key).collect();
    assert_eq!(documented, known_keys());
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let defaults = Config::default();
    for (key, default) in rows() {
        let read = Config::parse("doc", &format!("{key} = {default}"))
            .unwrap_or_else(|error| panic!("{key} = {default}: {error}"));
        assert_eq!(read, defaults, "{key} = {default}");
    }
    let all: String = rows().iter().map(|(key, default)| format!("{key} = {default}\n")).collect();
    assert_eq!(Config::parse("doc", &all), Ok(defaults));
}

/// What a number may be stands in the document as the refusal of one that is too large says it; one below is refused in the same words.
#[test]
fn the_documented_bounds_are_the_bounds() {
    let mut bounded = 0;
    for [key, default, allowed] in table() {
        let is_number = default.parse::<i64>().is_ok() || allowed.contains("auto or 1 to");
        if !is_number {
            continue;
        }
        let said = |value: i64| {
            let told = Config::parse("", &format!("{key} = {value}")).err()?.to_string();
            Some(told.split_once("allowed: ")?.1.to_owned()).filter(|range| range.contains(" to "))
        };
        // What the type of a key cannot hold is refused before its bounds are looked at.
        let is_own = |range: &String| !range.starts_with("whole numbers");
        let range = [u32::MAX.into(), i32::MAX.into(), i64::MAX, 200, 0].into_iter().filter_map(said).find(is_own);
        if range.is_none() {
            assert!(!allowed.contains(" to "), "{key} has no bound, and the document says {allowed}");
            continue;
        }
        bounded += 1;
        assert_eq!(range.as_deref(), Some(allowed.replace('`', "").as_str()), "{key}");
        let ends: Vec<i64> = allowed.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [least, most] = ends[..] else { panic!("{key}: {allowed}") };
        assert_eq!((said(least), said(most)), (None, None), "{key}");
        let refuses = |value| said(value).is_some_and(|said| Some(&said) == range.as_ref() || !is_own(&said));
        assert!(refuses(most + 1) && refuses(least - 1), "{key}");
    }
    assert!(bounded > 30, "{bounded}");
}

#[test]
fn the_documented_numbers_of_tables_are_the_bounds() {
    for (key, one) in [
        ("dnsbl.zone", "[[dnsbl.zone]]\nname = 'a.test'\n"),
        ("milter", "[[milter]]\nname = 'a'\naddress = '127.0.0.1:1'\n"),
    ] {
        let [_, _, allowed] = table().into_iter().find(|[row, ..]| row == key).expect("a row");
        let most = allowed.split(' ').find_map(|word| word.parse::<usize>().ok()).expect("a number");
        assert!(Config::parse("", &one.repeat(most)).is_ok(), "{key}: {most}");
        let told = error(&one.repeat(most + 1));
        assert_eq!(told, format!("posthouse.toml: {key}: {} tables; allowed: up to {most}", most + 1));
    }
}

#[test]
fn the_example_in_the_document_is_allowed() {
    let example = DOC.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let config = Config::parse("example", example).expect("allowed");
    assert_eq!(config.listen.smtp.len(), 2);
    assert!(config.listen.pop3.is_empty());
    assert_eq!(config.listen.admin, Config::default().listen.admin);
}

#[test]
fn errors_name_the_file_the_key_and_what_is_allowed() {
    for (text, told) in [
        ("runtime = 'fast'", "posthouse.toml: runtime: \"fast\" is not allowed; allowed: auto, uring, tokio"),
        ("[log]\nformat = 'xml'", "posthouse.toml: log.format: \"xml\" is not allowed; allowed: text, json"),
        (
            "[login]\nplaintext_auth = true",
            "posthouse.toml: login.plaintext_auth: invalid type: boolean `true`, expected a string",
        ),
        (
            "[listen]\nimap = ['localhost']",
            "posthouse.toml: listen.imap[0]: \"localhost\" is not allowed; allowed: an IP address and a port, as in 127.0.0.1:2143 or [::1]:2143",
        ),
        (
            "[listen]\nimap4 = []",
            "posthouse.toml: listen.imap4: unknown key; allowed: smtp, submission, submissions, lmtp, imap, imaps, pop3, pop3s, admin, autoconfig",
        ),
        (
            "[listen]\nimap = ['127.0.0.1:2110']",
            "posthouse.toml: listen.pop3: 127.0.0.1:2110 is taken by listen.imap; allowed: an address that no other listener has",
        ),
        ("[store]\nshards = 0", "posthouse.toml: store.shards: 0 is not allowed; allowed: auto or 1 to 256"),
        (
            "[store]\nshards = 'many'",
            "posthouse.toml: store.shards: \"many\" is not allowed; allowed: auto or a whole number",
        ),
        (
            "[limits]\nmessage_size_bytes_max = 12",
            "posthouse.toml: limits.message_size_bytes_max: 12 is not allowed; allowed: 1024 to 268435456",
        ),
        (
            "[tls]\nkey = 'k.pem'",
            "posthouse.toml: tls.certificate: missing; allowed: both tls.certificate and tls.key, or neither",
        ),
        (
            "hostname = 'a b'",
            "posthouse.toml: hostname: \"a b\" is not allowed; allowed: auto, or a domain name of letters, digits, hyphens and dots",
        ),
        (
            "[outbound]\nrelay = 'smtp.example.net'",
            "posthouse.toml: outbound.relay: \"smtp.example.net\" is not allowed; allowed: a host and a port, as in smtp.example.net:587 or [2001:db8::1]:25",
        ),
        (
            "[outbound]\ntls = 'implicit'",
            "posthouse.toml: outbound.tls: \"implicit\" is not allowed; allowed: none, opportunistic, required, verified",
        ),
        (
            "[outbound]\nsource_ipv4 = '::1'",
            "posthouse.toml: outbound.source_ipv4: \"::1\" is not allowed; allowed: an IPv4 address, or \"\"",
        ),
        (
            "[outbound]\nrelay_user = 'u'",
            "posthouse.toml: outbound.relay_password_file: missing; allowed: both outbound.relay_user and outbound.relay_password_file, or neither",
        ),
        ("data = ''", "posthouse.toml: data: \"\" is not allowed; allowed: the path of a directory"),
    ] {
        assert_eq!(error(text), told);
    }
    let level = error("[log]\nlevel = 'a=b=c'");
    assert!(level.starts_with("posthouse.toml: log.level: \"a=b=c\" is not allowed; allowed: error, warn"), "{level}");
    let syntax = error("data = 'x'\nruntime = ");
    assert!(syntax.starts_with("posthouse.toml: line 2: "), "{syntax}");
}

#[test]
fn a_route_is_for_one_domain() {
    for (text, told) in [
        (
            "[[outbound.route]]\ndomain = 'a b'",
            "posthouse.toml: outbound.route[0].domain: \"a b\" is not allowed; allowed: a domain, or .domain for all below it",
        ),
        (
            "[[outbound.route]]\ndomain = 'x.test'\nhost = 'y'",
            "posthouse.toml: outbound.route[0].host: unknown key; allowed: domain, relay, tls, user, password_file",
        ),
        (
            "[[outbound.route]]\ndomain = '.bücher.test'\n[[outbound.route]]\ndomain = 'bücher.test'\n[[outbound.route]]\ndomain = '.xn--bcher-kva.TEST'",
            "posthouse.toml: outbound.route[2].domain: \".xn--bcher-kva.TEST\" has outbound.route[0] already; allowed: one route for a domain",
        ),
    ] {
        assert_eq!(error(text), told);
    }
}

#[test]
fn numbers_that_no_such_key_can_hold_are_refused_in_the_same_words() {
    for (text, told) in [
        (
            "[outbound]\nport = 70000",
            "posthouse.toml: outbound.port: 70000 is not allowed; allowed: whole numbers from 0 to 65535",
        ),
        (
            "[limits]\nconnections_max = -1",
            "posthouse.toml: limits.connections_max: -1 is not allowed; allowed: whole numbers from 0 to 4294967295",
        ),
    ] {
        assert_eq!(error(text), told);
    }
}

#[test]
fn what_domains_demand_needs_tls_and_reports_need_an_address() {
    for (text, told) in [
        (
            "[outbound]\ntls = 'none'\ndane = 'resolver_validates'",
            "posthouse.toml: outbound.dane: \"resolver_validates\" is not allowed beside outbound.tls = \"none\"; allowed: off, or TLS",
        ),
        (
            "[outbound]\ntls_reports_from = 'postmaster'",
            "posthouse.toml: outbound.tls_reports_from: \"postmaster\" is not allowed; allowed: an address, or \"\"",
        ),
    ] {
        assert_eq!(error(text), told);
    }
    assert!(Config::parse("posthouse.toml", "[outbound]\ndane = 'resolver_validates'").is_ok());
}

#[test]
fn a_provider_is_whole_or_off() {
    for (text, told) in [
        (
            "[oauth]\nintrospection_url = 'http://id.example.org/introspect'",
            "posthouse.toml: oauth.introspection_url: \"http://id.example.org/introspect\" is not allowed (tokens and the secret would cross the network in the clear); allowed: an https URL, or http on this machine, as in http://127.0.0.1:8080/introspect",
        ),
        (
            "[oauth]\nintrospection_url = 'https://id.example.org/introspect'\nclient_id = 'mail'",
            "posthouse.toml: oauth.client_secret_file: missing; allowed: a file whose first line is our password with oauth.introspection_url",
        ),
        (
            "[oauth]\nscope_imap = 'a b'",
            "posthouse.toml: oauth.scope_imap: \"a b\" is not allowed; allowed: one scope without spaces and quotes, or \"\"",
        ),
    ] {
        assert_eq!(error(text), told);
    }
    assert!(Config::parse("posthouse.toml", "[oauth]\naddress_claim = 'email'").is_ok(), "without a URL it is off");
}

#[test]
fn paths_are_taken_from_the_files_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("posthouse.toml");
    std::fs::write(&file, "data = 'd'\n[tls]\ncertificate = '/c.pem'\nkey = 'k.pem'").expect("written");
    let config = Config::read(&file).expect("allowed");
    assert_eq!(config.data, dir.path().join("d"));
    assert_eq!(config.tls.certificate, std::path::Path::new("/c.pem"));
    assert_eq!(config.tls.key, dir.path().join("k.pem"));
    let missing = Config::read(&dir.path().join("none.toml")).expect_err("missing").to_string();
    assert!(missing.contains("none.toml: cannot be read: "), "{missing}");
}

#[test]
fn filters_are_off_until_they_are_named_and_mistakes_are_told() {
    let off = Config::default();
    assert!(off.rspamd.socket().is_none() && off.milter.is_empty());
    let named = "[rspamd]\naddress = '[::1]:11333'\n[[milter]]\nname = 'a'\naddress = '127.0.0.1:1'";
    let named = Config::parse("", named).expect("allowed");
    assert_eq!(named.rspamd.socket().map(|socket| socket.to_string()).as_deref(), Some("[::1]:11333"));
    assert_eq!((named.milter.len(), named.milter[0].timeout_seconds, named.filters()), (1, 30, 2));
    let unix = Config::parse("", "[[milter]]\nname = 'a'\naddress = 'unix:/run/a.sock'").expect("allowed");
    assert_eq!(unix.milter[0].address, super::Socket::Unix("/run/a.sock".into()));
    for (text, key) in [
        ("[rspamd]\naddress = 'filter.test:11333'", "rspamd.address"),
        ("[rspamd]\ntimeout_seconds = 0", "rspamd.timeout_seconds"),
        ("[rspamd]\nwhen_down = 'reject'", "rspamd.when_down"),
        ("[[milter]]\nname = 'a b'\naddress = '127.0.0.1:1'", "milter[0].name"),
        ("[[milter]]\nname = 'a'\naddress = '127.0.0.1:1'\nsees = []", "milter[0].sees"),
        ("[[milter]]\nname = 'a'\naddress = 'unix:run/a'", "milter[0].address"),
        ("[limits]\nfilters_seconds_max = 541", "limits.filters_seconds_max"),
        ("[limits]\nrefused_recipients_per_ip_minute_max = 1000001", "limits.refused_recipients_per_ip_minute_max"),
        ("[reports]\ndmarc = true", "reports.organisation"),
        ("[reports]\ndmarc = true\norganisation = 'A'", "reports.contact"),
        (
            "[reports]\ndmarc = true\norganisation = 'A'\ncontact = 'p@a.test'\n[verify]\nenabled = false",
            "reports.dmarc",
        ),
        ("[[milter]]\nname = 'a'\naddress = '127.0.0.1:1'\ntimeout_seconds = 601", "milter[0].timeout_seconds"),
    ] {
        let told = error(text);
        assert!(told.starts_with(&format!("posthouse.toml: {key}: ")), "{told}");
    }
}
