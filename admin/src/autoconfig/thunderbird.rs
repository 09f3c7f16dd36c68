//! Thunderbird's document, which Evolution, KMail, K-9 and others read too: Mozilla's "Autoconfig file format", version 1.1. Sends nobody anywhere else.
use super::{Protocol, Service, Services, escaped};

/// The document for a domain; the program puts the address into `%EMAILADDRESS%` itself.
pub(super) fn document(services: &Services, domain: &str) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n");
    let domain = escaped(domain);
    text.push_str(&format!("  <emailProvider id=\"{domain}\">\n    <domain>{domain}</domain>\n"));
    text.push_str(&format!(
        "    <displayName>{domain}</displayName>\n    <displayShortName>{domain}</displayShortName>\n"
    ));
    for service in services.incoming() {
        text.push_str(&server("incomingServer", services.host(), service));
    }
    for service in services.outgoing() {
        text.push_str(&server("outgoingServer", services.host(), service));
    }
    text.push_str("  </emailProvider>\n</clientConfig>\n");
    text
}

fn server(element: &str, host: &str, service: &Service) -> String {
    let kind = match service.protocol {
        Protocol::Imap => "imap",
        Protocol::Pop3 => "pop3",
        Protocol::Submission => "smtp",
    };
    let socket = if service.implicit_tls { "SSL" } else { "STARTTLS" };
    // "password-cleartext" is a password under TLS; the other words mean CRAM-MD5, Kerberos or OAuth.
    format!(
        "    <{element} type=\"{kind}\">\n      <hostname>{}</hostname>\n      <port>{}</port>\n      <socketType>{socket}</socketType>\n      \
         <authentication>password-cleartext</authentication>\n      <username>%EMAILADDRESS%</username>\n    </{element}>\n",
        escaped(host),
        service.port
    )
}
