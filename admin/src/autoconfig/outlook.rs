//! Outlook's Autodiscover for accounts that are not Exchange's ([MS-OXDSCLI], "POX"): a POST with the address, an answer with servers and ports.
use super::{Protocol, Service, Services, escaped};
use quick_xml::Reader;
use quick_xml::events::Event;

/// The address that the request asks for.
///
/// # Errors
/// What is wrong with the request.
pub(super) fn address(request: &str) -> Result<String, String> {
    let mut reader = Reader::from_str(request);
    let mut address = None;
    loop {
        match reader.read_event().map_err(|error| format!("not XML: {error}"))? {
            Event::Start(tag) if tag.local_name().as_ref() == b"EMailAddress" => address = Some(String::new()),
            Event::Text(text) => {
                if let Some(address) = &mut address {
                    address.push_str(&text.decode().map_err(|error| format!("not XML: {error}"))?);
                }
            }
            Event::End(tag) if tag.local_name().as_ref() == b"EMailAddress" => break,
            Event::Eof => return Err("no EMailAddress in it".into()),
            _ => {}
        }
    }
    Ok(address.unwrap_or_default().trim().to_owned())
}

/// The answer with the settings of one address.
pub(super) fn document(services: &Services, address: &str) -> String {
    let mut text = head();
    text.push_str(
        "  <Response xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\">\n    <User>\n",
    );
    text.push_str(&format!("      <DisplayName>{}</DisplayName>\n    </User>\n", escaped(address)));
    text.push_str("    <Account>\n      <AccountType>email</AccountType>\n      <Action>settings</Action>\n");
    // A program takes the first entry of each kind.
    for kind in [Protocol::Imap, Protocol::Pop3, Protocol::Submission] {
        if let Some(service) = services.list.iter().find(|service| service.protocol == kind) {
            text.push_str(&protocol(services.host(), address, service));
        }
    }
    text.push_str("    </Account>\n  </Response>\n</Autodiscover>\n");
    text
}

/// The answer to a request that asks for nobody of ours (500) or that is none (600).
pub(super) fn refusal(code: u16, message: &str) -> String {
    let message = escaped(message);
    format!(
        "{}  <Response>\n    <Error Time=\"00:00:00.0000000\" Id=\"0\">\n      <ErrorCode>{code}</ErrorCode>\n      <Message>{message}</Message>\n      \
         <DebugData />\n    </Error>\n  </Response>\n</Autodiscover>\n",
        head()
    )
}

fn head() -> String {
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\n"
        .to_owned()
}

fn protocol(host: &str, address: &str, service: &Service) -> String {
    let kind = match service.protocol {
        Protocol::Imap => "IMAP",
        Protocol::Pop3 => "POP3",
        Protocol::Submission => "SMTP",
    };
    let (ssl, encryption) = if service.implicit_tls { ("on", "SSL") } else { ("off", "TLS") };
    format!(
        "      <Protocol>\n        <Type>{kind}</Type>\n        <Server>{}</Server>\n        <Port>{}</Port>\n        <DomainRequired>off</DomainRequired>\n        \
         <LoginName>{}</LoginName>\n        <SPA>off</SPA>\n        <SSL>{ssl}</SSL>\n        <Encryption>{encryption}</Encryption>\n        \
         <AuthRequired>on</AuthRequired>\n      </Protocol>\n",
        escaped(host),
        service.port,
        escaped(address)
    )
}
