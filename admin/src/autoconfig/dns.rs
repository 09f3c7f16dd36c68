//! The records of a domain: where its mail goes, and which services its members' programs find (RFC 6186, RFC 8314 section 5.1). Asks no name server.
use super::{Protocol, Services};

/// Lines of a zone file, with a comment before each kind.
pub(super) fn lines(services: &Services, domain: &str) -> Vec<String> {
    let host = services.host();
    let mut lines = vec![
        "; mail for the domain comes here, and only this host sends mail of it".to_owned(),
        format!("{domain}. IN MX 10 {host}."),
        format!("{domain}. IN TXT \"v=spf1 mx -all\""),
        "; programs that know the domain find their servers".to_owned(),
    ];
    let names = [
        ("_imaps", Protocol::Imap, true),
        ("_imap", Protocol::Imap, false),
        ("_pop3s", Protocol::Pop3, true),
        ("_pop3", Protocol::Pop3, false),
        ("_submissions", Protocol::Submission, true),
        ("_submission", Protocol::Submission, false),
    ];
    for (name, protocol, implicit_tls) in names {
        let found = services.list.iter().find(|one| one.protocol == protocol && one.implicit_tls == implicit_tls);
        // A lone dot says that there is no such service (RFC 2782).
        let record = match found {
            Some(service) => format!("{} 1 {} {host}.", u8::from(protocol == Protocol::Pop3) * 10, service.port),
            None => "0 0 0 .".to_owned(),
        };
        lines.push(format!("{name}._tcp.{domain}. IN SRV {record}"));
    }
    lines.push(
        "; where programs ask for documents, over HTTPS: the web server in front of listen.autoconfig".to_owned(),
    );
    lines.push(format!("autoconfig.{domain}. IN CNAME {host}."));
    lines.push(format!("_autodiscover._tcp.{domain}. IN SRV 0 1 443 {host}."));
    lines
}
