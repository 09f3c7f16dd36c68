//! Whom an address field names, by every reader that we have: mail-parser, whose reading DMARC is asked about, and the one that IMAP's ENVELOPE
//! shows. Where a field can be read in two ways, both are told, so that nobody is judged as one and shown as another. Judges nothing.
use crate::limits;
use mail_parser::parsers::MessageStream;
use posthouse_engine::directory::Address;
use posthouse_engine::index::mime::shown_addresses;

/// What one field names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Each once.
    pub(super) addresses: Vec<Address>,
    /// Something in it is no address, or there is none, or there are too many.
    pub(super) is_odd: bool,
    /// Whoever reads it finds addresses of the same single domain.
    pub(super) has_one_domain: bool,
}

/// Reads the value of a field, with its line end.
pub(super) fn read(value: &[u8]) -> Named {
    let mut found = Found::default();
    let parsed = MessageStream::new(value).parse_address();
    let mut judged = parsed.as_address().into_iter().flat_map(|all| all.iter());
    let few = judged.by_ref().take(limits::SMTP_FROM_MAX);
    let count = few.map(|one| found.add_judged(one.address())).count();
    let mut shown = shown_addresses(value).into_iter();
    // Nobody reads more of them, and each takes a while.
    let is_long = judged.next().is_some() || shown.len() > limits::SMTP_FROM_MAX;
    found.named.is_odd |= count == 0 || is_long;
    found.is_unclear |= is_long;
    for address in shown.by_ref().take(limits::SMTP_FROM_MAX) {
        // A name that stands where an address is expected, as in "Smith, Ann <ann@example.org>", shows no domain that there could be.
        if let Ok(address) = Address::parse(&address) {
            found.add_domain(address.domain());
            found.add(address);
        }
    }
    Named { has_one_domain: found.domains.len() == 1 && !found.is_unclear, ..found.named }
}

#[derive(Default)]
struct Found {
    named: Named,
    domains: Vec<String>,
    /// There is a domain that other readers may take for another.
    is_unclear: bool,
}

impl Found {
    fn add_judged(&mut self, address: Option<&str>) {
        match address.map(Address::parse) {
            Some(Ok(address)) => self.add(address),
            _ => self.named.is_odd = true,
        }
        let Some((_, domain)) = address.and_then(|address| address.rsplit_once('@')) else { return };
        let known = Address::parse(&format!("x@{domain}"));
        match known {
            Ok(known) if !domain.is_ascii() || known.domain().eq_ignore_ascii_case(domain) => {
                self.add_domain(known.domain());
            }
            // A hyphen at an end, or letters behind xn-- that stand for nothing: odd, but one name.
            _ if is_plain(domain) => self.add_domain(&domain.to_ascii_lowercase()),
            _ => self.is_unclear = true,
        }
    }

    fn add(&mut self, address: Address) {
        if self.named.addresses.contains(&address) {
            return;
        }
        if self.named.addresses.len() < limits::SMTP_FROM_MAX {
            self.named.addresses.push(address);
        } else {
            self.named.is_odd = true;
        }
    }

    fn add_domain(&mut self, domain: &str) {
        // Two are as bad as many.
        if self.domains.len() < 2 && !self.domains.iter().any(|known| known == domain) {
            self.domains.push(domain.to_owned());
        }
    }
}

fn is_plain(domain: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(fits);
    // What is longer is no name (RFC 1035 section 2.3.4), and no policy can be asked for it.
    domain.len() <= 253 && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(value: &str) -> (String, bool, bool) {
        let named = read(format!("{value}\r\n").as_bytes());
        let all: Vec<&str> = named.addresses.iter().map(Address::as_str).collect();
        (all.join(" "), named.is_odd, named.has_one_domain)
    }

    #[test]
    fn what_mail_says_every_day_names_one_domain() {
        for (value, addresses, odd) in [
            ("a@x.test", "a@x.test", false),
            ("Ann <a@X.test> (away)", "a@x.test", false),
            ("\"ceo@bank.test\" <a@x.test>", "a@x.test", false),
            ("a@x.test <a@x.test>", "a@x.test", false),
            ("=?utf-8?q?b=40y.test?= <a@x.test>", "a@x.test", false),
            ("=?utf-8?q?b@y.test?= <a@x.test>", "a@x.test", false),
            ("Smith, Ann <a@x.test>", "a@x.test", true),
            ("A <a@x.test>,\r\n B <b@x.test>", "a@x.test b@x.test", false),
            ("G: a@x.test, b@x.test;", "a@x.test b@x.test", false),
            ("a@m\u{fc}nchen.test", "a@xn--mnchen-3ya.test", false),
            ("root@my_host.test", "root@my_host.test", false),
            ("\"a b\"@x.test", "\"a b\"@x.test", true),
        ] {
            assert_eq!(told(value), (addresses.to_owned(), odd, true), "{value:?}");
        }
    }

    #[test]
    fn what_readers_take_for_several_or_none_is_told() {
        for value in [
            "ceo@bank.test, x@evil.test",
            "ceo@bank.test <x@evil.test>",
            "<ceo@bank.test> <x@evil.test>",
            "<x@evil.test> ceo@bank.test",
            "ceo@bank.test: x@evil.test;",
            "A: x@evil.test;, ceo@bank.test",
            "(x@evil.test) ceo@bank.test, x@evil.test",
            "ceo(x)@bank.test, x@evil.test",
            "ceo@bank.test\\ <x@evil.test>",
            "ceo@bank.test.",
            "<ceo@bank.test\u{1}>",
            "ceo@bank..test",
            "undisclosed:;",
            "MAILER-DAEMON",
            "=?utf-8?q?ceo=40bank.test?=",
            "<=?utf-8?q?ceo=40bank.test?=>",
            "",
            "()",
        ] {
            assert!(!told(value).2, "{value:?}: {:?}", told(value));
        }
    }

    #[test]
    fn a_member_would_have_to_own_all_that_anybody_reads() {
        for (value, addresses) in [
            ("ceo@x.test <ann@x.test>", "ann@x.test ceo@x.test"),
            ("ceo(me)@x.test, ann@x.test", "ann@x.test ceo@x.test"),
        ] {
            assert_eq!(told(value).0, addresses, "{value:?}");
        }
        let label = "a".repeat(64);
        assert!(!told(&format!("ceo@{label}.my_bank.test")).2 && told(&format!("ceo@{}.my_bank.test", &label[1..])).2);
        assert!(!told(&format!("ceo@{}test", "a_b.".repeat(64))).2);
        let many: Vec<String> = (0..=limits::SMTP_FROM_MAX).map(|number| format!("a{number}@x.test")).collect();
        let (all, odd, _) = told(&many.join(", "));
        assert_eq!((all.split(' ').count(), odd), (limits::SMTP_FROM_MAX, true));
    }

    /// 65,000 addresses were all read, each by itself, before the bound was looked at.
    #[test]
    fn a_list_without_end_is_read_to_the_bound() {
        let within = vec!["a@x.test"; limits::SMTP_FROM_MAX].join(",");
        assert_eq!(told(&within), ("a@x.test".into(), false, true));
        for one in ["a@x.test", "a"] {
            let (addresses, is_odd, has_one_domain) = told(&format!("a@x.test,{}", vec![one; 30_000].join(",")));
            assert_eq!((&*addresses, is_odd, has_one_domain), ("a@x.test", true, false));
        }
    }
}
