//! The record and the policy as a domain writes them (RFC 8461 sections 3.1 and 3.2). Asks nobody.
use crate::limits;

/// What a policy wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::outbound) enum Mode {
    /// No mail to a host that does not fit.
    Enforce,
    /// Reports only.
    Testing,
    /// Nothing any more.
    None,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::outbound) struct Policy {
    pub(in crate::outbound) mode: Mode,
    /// Patterns of hosts, in small letters.
    pub(in crate::outbound) mx: Vec<String>,
    /// Seconds for which it may be kept.
    pub(in crate::outbound) max_age: u32,
    /// As it is written, for reports about TLS.
    pub(in crate::outbound) lines: Vec<String>,
}

impl Policy {
    /// Reads a policy file; `Err` says what is wrong with it. What is not known in it is passed over, and of what stands twice the first counts.
    pub(in crate::outbound) fn parse(bytes: &[u8]) -> Result<Policy, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        let (mut version, mut mode, mut max_age, mut mx, mut lines) = (None, None, None, Vec::new(), Vec::new());
        let mut lines_bytes = 0;
        for line in text.split('\n').map(|line| line.trim_end_matches(['\r', ' ', '\t'])) {
            if line.is_empty() {
                continue;
            }
            let (name, value) = line.split_once(':').ok_or("a line is no field")?;
            lines_bytes += line.len();
            if lines.len() < limits::STS_LINES_KEPT && lines_bytes <= limits::TLSRPT_TEXT_BYTES_MAX {
                lines.push(line.to_owned());
            }
            let value = value.trim_start_matches([' ', '\t']);
            match name {
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "max_age" => max_age = max_age.or(Some(value)),
                "mx" => mx.push(pattern(value).ok_or("a pattern of mx is none")?),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err("its version is not STSv1".into());
        }
        let mode = match mode {
            Some("enforce") => Mode::Enforce,
            Some("testing") => Mode::Testing,
            Some("none") => Mode::None,
            _ => return Err("it has no mode that is known".into()),
        };
        let digits = max_age
            .filter(|text| !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit()));
        let max_age: u64 = digits.and_then(|text| text.parse().ok()).ok_or("it has no max_age")?;
        if mx.is_empty() && mode != Mode::None {
            return Err("it names no mx".into());
        }
        Ok(Policy { mode, mx, max_age: max_age.min(limits::STS_AGE_SECONDS_MAX) as u32, lines })
    }

    /// Whether mail may go to a host (section 4.1): `*` stands for one label, the first one.
    pub(in crate::outbound) fn takes(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(rest) => parent == Some(rest),
            None => *pattern == host,
        })
    }
}

/// A domain, or one below `*.`.
fn pattern(text: &str) -> Option<String> {
    let domain = text.strip_prefix("*.").unwrap_or(text);
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(fits)
    };
    (domain.len() <= 253 && domain.split('.').all(is_label)).then(|| text.to_ascii_lowercase())
}

/// The id of the policy in the TXT records of `_mta-sts.` (section 3.1); none unless there is exactly one record.
pub(super) fn id(records: &[String]) -> Option<String> {
    let mut ours = records.iter().filter_map(|record| {
        let rest = record.strip_prefix("v=STSv1")?.trim_start_matches([' ', '\t']);
        (rest.is_empty() || rest.starts_with(';')).then_some(rest)
    });
    let record = ours.next().filter(|_| ours.next().is_none())?;
    let mut fields = record.split(';').filter_map(|field| field.trim_matches([' ', '\t']).split_once('='));
    let (_, id) = fields.find(|(name, _)| *name == "id")?;
    ((1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_the_rfc_has_them() {
        let text = b"version: STSv1\r\nmode: enforce\r\nmx: Mail.example.com\r\nmx: *.example.net \r\nmode: none\r\nnew: x\r\nmax_age: 604800\r\n";
        let policy = Policy::parse(text).expect("a policy");
        assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, 604_800));
        for (host, fits) in [
            ("mail.example.com", true),
            ("MAIL.example.com.", true),
            ("a.mail.example.com", false),
            ("mx.example.net", true),
            ("a.mx.example.net", false),
            ("example.net", false),
            ("net", false),
        ] {
            assert_eq!(policy.takes(host), fits, "{host}");
        }
        let none = Policy::parse(b"mode:none\nmax_age:9999999999\nversion:\tSTSv1").expect("a policy");
        assert_eq!((none.mode, none.mx.len(), none.max_age), (Mode::None, 0, 31_557_600));
    }

    #[test]
    fn what_is_no_policy_is_told() {
        for (text, why) in [
            ("", "version"),
            ("version: STSv2\nmode: none\nmax_age: 1", "version"),
            ("version: STSv1\nmode: strict\nmax_age: 1\nmx: a.test", "mode"),
            ("version: STSv1\nmode: testing\nmax_age: 1", "mx"),
            ("version: STSv1\nmode: testing\nmax_age: 1\nmx: a..test", "pattern"),
            ("version: STSv1\nmode: testing\nmax_age: 1\nmx: a.*.test", "pattern"),
            ("version: STSv1\nmode: testing\nmax_age: 1\nmx: *", "pattern"),
            ("version: STSv1\nmode: enforce\nmax_age: +1\nmx: a.test", "max_age"),
            ("version: STSv1\nmode: enforce\nmax_age: 1d\nmx: a.test", "max_age"),
            ("<html>", "field"),
        ] {
            let told = Policy::parse(text.as_bytes()).expect_err(text);
            assert!(told.contains(why), "{text}: {told}");
        }
        assert!(Policy::parse(&[0xff]).is_err());
    }

    #[test]
    fn a_record_has_one_id() {
        let id = |records: &[&str]| id(&records.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(id(&["v=spf1 -all", "v=STSv1; id=20160831085700Z;"]).as_deref(), Some("20160831085700Z"));
        assert_eq!(id(&["v=STSv1 ; new=1; id=a"]).as_deref(), Some("a"));
        for wrong in ["v=STSv1", "v=STSv1;", "v=STSv1; id=", "v=STSv1; id=a-b", "v=STSv12; id=a", "id=a; v=STSv1"] {
            assert_eq!(id(&[wrong]), None, "{wrong}");
        }
        assert_eq!(id(&["v=STSv1; id=a", "v=STSv1; id=b"]), None);
        assert_eq!(id(&[&format!("v=STSv1; id={}", "a".repeat(33))]), None);
    }
}
