//! The first minutes: an empty store gets a tenant, a domain and two members, and whoever started us sees lines that work as they are
//! printed. Done once, and only for a start without a configuration file.
use super::house::House;
use crate::ops::{self, Change, Failure, Kind, Request, Response};
use crate::password;
use posthouse_engine::Engine;
use posthouse_protocols::runtime::tls;
use std::path::Path;

/// Where the self-signed certificate lies, in the data directory.
pub(super) const TLS_DIRECTORY: &str = "tls";

const TENANT: &str = "first";
const DOMAIN: &str = "example.test";

/// One of the first members.
struct First {
    address: String,
    password: String,
}

/// Makes them and answers what to print; `None` when there is somebody already.
pub(super) fn begin(engine: &Engine, data: &Path, house: &House) -> Result<Option<String>, Failure> {
    if engine.directory(|directory| directory.tenants().next().is_some()) {
        return Ok(None);
    }
    let (alice, bob) = (First::new("alice")?, First::new("bob")?);
    let changes = vec![
        Change::TenantAdd { name: TENANT.into(), title: "First tenant".into(), accounts_max: None },
        Change::DomainAdd { tenant: TENANT.into(), domain: DOMAIN.into() },
        alice.add("Alice")?,
        bob.add("Bob")?,
    ];
    match ops::run(engine, None, &Request::Change { changes }) {
        Response::Changed { results } => {
            if let Some(failure) = results.into_iter().flatten().next() {
                return Err(failure);
            }
        }
        Response::Failed { failure } => return Err(failure),
        other => return Err(Failure::new(Kind::Failed, format!("an answer of another kind was expected: {other:?}"))),
    }
    let certificate = data.join(TLS_DIRECTORY).join(tls::CERTIFICATE_FILE);
    Ok(Some(words(&alice, &bob, &shell_quoted(&certificate.to_string_lossy()), house)))
}

impl First {
    fn new(name: &str) -> Result<First, Failure> {
        Ok(First { address: format!("{name}@{DOMAIN}"), password: password::random()? })
    }

    fn add(&self, name: &str) -> Result<Change, Failure> {
        Ok(Change::MemberAdd {
            address: self.address.clone(),
            name: name.into(),
            password_hash: Some(password::hashed(&self.password)?),
            vip: false,
            quota: "default".into(),
        })
    }
}

fn words(alice: &First, bob: &First, certificate: &str, house: &House) -> String {
    let (from, to) = (&alice.address, &bob.address);
    let mut lines = vec![
        format!("This store is new: tenant {TENANT}, domain {DOMAIN} and two members were made."),
        "The passwords are shown only now; `posthouse member set ADDRESS --password` changes one.".into(),
        format!("  {from}  password {}", alice.password),
        format!("  {to}  password {}", bob.password),
    ];
    if let Some(submission) = house.address("submission") {
        lines.push(String::new());
        lines.push("Send a first mail from Alice to Bob, with swaks or with curl:".into());
        lines.push(format!(
            "  swaks --server {submission} --tls --auth PLAIN --auth-user {from} --auth-password {} --from {from} --to {to} --header 'Subject: Hello'",
            alice.password
        ));
        lines.push(format!(
            "  printf 'From: {from}\\r\\nTo: {to}\\r\\nSubject: Hello\\r\\n\\r\\nHello Bob.\\r\\n' | curl --silent --show-error --ssl-reqd \
             --cacert {certificate} --user {from}:{} --mail-from {from} --mail-rcpt {to} --upload-file - smtp://{submission}",
            alice.password
        ));
    }
    if let Some(imaps) = house.address("imaps") {
        lines.push(String::new());
        lines.push("Read it as Bob:".into());
        lines.push(format!(
            "  curl --silent --show-error --cacert {certificate} --user {to}:{} 'imaps://{imaps}/INBOX;MAILINDEX=1'",
            bob.password
        ));
    }
    if let Some(admin) = house.address("admin") {
        lines.push(String::new());
        lines.push(format!("What runs where: http://{admin}/"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// As one word of a POSIX shell; as it is when nothing in it means anything to one.
fn shell_quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::shell_quoted;

    #[test]
    fn paths_survive_a_shell() {
        for (path, quoted) in [("./a/b.pem", "./a/b.pem"), ("/my data/x", "'/my data/x'"), ("it's", "'it'\\''s'")] {
            assert_eq!(shell_quoted(path), quoted);
        }
    }
}
