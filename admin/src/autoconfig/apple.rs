//! A configuration profile for Mail on macOS and iOS (Apple's "Configuration Profile Reference", payload com.apple.mail.managed). Holds no password.
use super::{Protocol, Service, Services, escaped};
use blake2::{Blake2s256, Digest};

/// What Apple's programs take it for.
pub(super) const CONTENT_TYPE: &str = "application/x-apple-aspen-config";

/// The profile of an address; `None` when it could not both read and send.
pub(super) fn document(services: &Services, address: &str) -> Option<String> {
    let incoming = services.incoming().next()?;
    let outgoing = services.outgoing().next()?;
    let kind = if incoming.protocol == Protocol::Imap { "EmailTypeIMAP" } else { "EmailTypePOP" };
    let mut account = vec![
        string("EmailAccountDescription", address),
        string("EmailAccountType", kind),
        string("EmailAddress", address),
    ];
    account.extend(server("Incoming", services.host(), address, incoming));
    account.extend(server("Outgoing", services.host(), address, outgoing));
    account.push(boolean("OutgoingPasswordSameAsIncomingPassword", true));
    account.extend(payload("com.apple.mail.managed", address, "account", "Mail"));
    let inner = account.concat();
    let outer = payload("Configuration", address, "profile", &format!("Mail of {address}")).concat();
    Some(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n<key>PayloadContent</key>\n<array>\n<dict>\n{inner}</dict>\n</array>\n{outer}</dict>\n</plist>\n"
    ))
}

fn server(side: &str, host: &str, address: &str, service: &Service) -> [String; 5] {
    [
        string(&format!("{side}MailServerHostName"), host),
        format!("<key>{side}MailServerPortNumber</key>\n<integer>{}</integer>\n", service.port),
        boolean(&format!("{side}MailServerUseSSL"), true),
        string(&format!("{side}MailServerUsername"), address),
        string(&format!("{side}MailServerAuthentication"), "EmailAuthPassword"),
    ]
}

/// What every payload says of itself. The same address gets the same names each time, so a profile that is fetched again takes the place of the old one.
fn payload(kind: &str, address: &str, part: &str, shown: &str) -> [String; 5] {
    [
        string("PayloadType", kind),
        string("PayloadIdentifier", &format!("posthouse.{part}.{address}")),
        string("PayloadUUID", &uuid(address, part)),
        string("PayloadDisplayName", shown),
        "<key>PayloadVersion</key>\n<integer>1</integer>\n".to_owned(),
    ]
}

fn string(key: &str, value: &str) -> String {
    format!("<key>{key}</key>\n<string>{}</string>\n", escaped(value))
}

fn boolean(key: &str, value: bool) -> String {
    format!("<key>{key}</key>\n<{value}/>\n")
}

/// A UUID made of the address (RFC 9562 section 5.8, version 8).
fn uuid(address: &str, part: &str) -> String {
    let digest = Blake2s256::new().chain_update(part).chain_update([0]).chain_update(address).finalize();
    let mut number = digest.iter().take(16).fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    number = number & !(0xF << 76) | 0x8 << 76;
    number = number & !(0x3 << 62) | 0x2 << 62;
    let hex = format!("{number:032X}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
