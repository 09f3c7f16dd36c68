//! Each document against a parser that reads it as its program would.
use super::*;
use quick_xml::Reader;
use quick_xml::events::Event;

fn services() -> Services {
    let names =
        [("pop3", 110), ("smtp", 25), ("imap", 143), ("imaps", 1993), ("submission", 587), ("submissions", 465)];
    let list = names.into_iter().filter_map(|(name, port)| Service::of_listener(name, port)).collect();
    Services::new("mail.example.org".into(), list)
}

/// The texts of a document with the element each stands in; fails where it is not well-formed.
fn texts(document: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(document);
    let (mut open, mut texts) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) => open.push(String::from_utf8_lossy(tag.local_name().as_ref()).into_owned()),
            Event::End(_) => drop(open.pop().expect("an open element")),
            Event::Text(text) => {
                let text = text.decode().expect("UTF-8").trim().to_owned();
                if !text.is_empty() {
                    texts.push((open.last().expect("inside").clone(), text));
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?} left open");
    texts
}

fn all<'a>(texts: &'a [(String, String)], element: &str) -> Vec<&'a str> {
    texts.iter().filter(|(name, _)| name == element).map(|(_, text)| text.as_str()).collect()
}

#[test]
fn thunderbird_hears_of_every_service_the_best_first() {
    let texts = texts(&thunderbird::document(&services(), "example.org"));
    assert_eq!(all(&texts, "port"), ["1993", "143", "110", "465", "587"]);
    assert_eq!(all(&texts, "socketType"), ["SSL", "STARTTLS", "STARTTLS", "SSL", "STARTTLS"]);
    assert!(all(&texts, "hostname").iter().all(|host| *host == "mail.example.org"));
    assert!(all(&texts, "username").iter().all(|name| *name == "%EMAILADDRESS%"));
}

#[test]
fn outlook_is_understood_and_answered() {
    let request = "<?xml version=\"1.0\"?><Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006\">\
                   <Request><EMailAddress> carol@example.org </EMailAddress><AcceptableResponseSchema>x</AcceptableResponseSchema></Request></Autodiscover>";
    assert_eq!(outlook::address(request).as_deref(), Ok("carol@example.org"));
    assert!(outlook::address("<Autodiscover></Autodiscover>").expect_err("nobody asked for").contains("EMailAddress"));
    assert!(outlook::address("<a></b>").expect_err("not XML").contains("not XML"));
    let texts = texts(&outlook::document(&services(), "carol@example.org"));
    assert_eq!(all(&texts, "Type"), ["IMAP", "POP3", "SMTP"]);
    assert_eq!(all(&texts, "Port"), ["1993", "110", "465"]);
    assert_eq!(all(&texts, "Encryption"), ["SSL", "TLS", "SSL"]);
    assert!(all(&texts, "LoginName").iter().all(|name| *name == "carol@example.org"));
}

#[test]
fn apples_profile_keeps_its_names_and_takes_no_markup() {
    let profile = apple::document(&services(), "a<b>&c@example.org").expect("a profile");
    assert!(profile.contains("a&lt;b&gt;&amp;c@example.org") && !profile.contains("<b>"), "{profile}");
    assert_eq!(profile, apple::document(&services(), "a<b>&c@example.org").expect("a profile"));
    let texts = texts(&profile);
    assert_eq!(all(&texts, "integer"), ["1993", "465", "1", "1"]);
    let uuids: Vec<_> =
        all(&texts, "string").into_iter().filter(|text| text.len() == 36 && text.as_bytes()[14] == b'8').collect();
    assert_eq!(uuids.len(), 2, "{texts:?}");
    assert_ne!(uuids[0], uuids[1]);
    let deaf = Services::new("mail.example.org".into(), vec![]);
    assert_eq!(apple::document(&deaf, "carol@example.org"), None);
}

#[test]
fn the_records_say_what_is_there_and_what_is_not() {
    let lines = services().dns("example.org");
    for line in [
        "example.org. IN MX 10 mail.example.org.",
        "_imaps._tcp.example.org. IN SRV 0 1 1993 mail.example.org.",
        "_submissions._tcp.example.org. IN SRV 0 1 465 mail.example.org.",
        "_pop3._tcp.example.org. IN SRV 10 1 110 mail.example.org.",
        "_pop3s._tcp.example.org. IN SRV 0 0 0 .",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line}: {lines:#?}");
    }
}

#[test]
fn only_a_whole_address_has_a_domain() {
    assert_eq!(domain_of("carol@example.org"), Some("example.org"));
    assert_eq!(domain_of("\"a@b\"@example.org"), Some("example.org"));
    for bad in ["", "example.org", "@example.org", "carol@"] {
        assert_eq!(domain_of(bad), None, "{bad}");
    }
}
