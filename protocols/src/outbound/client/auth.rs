//! AUTH as a client (RFC 4954): PLAIN or LOGIN, only where nobody listens unless the operator has asked for plain text. The password is
//! never in an error or the log.
use super::Client;
use crate::dsn::Reply;
use crate::limits;
use crate::outbound::settings::{Login, Security};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Logs in at a relay.
pub(super) async fn log_in(client: &mut Client, login: &Login, security: Security) -> Result<(), Reply> {
    if client.tls.is_none() && security != Security::Plain {
        return Err(Reply::own("4.7.11", "the relay offers no TLS, and the password is not sent without it"));
    }
    let offered = |name: &str| client.offers.auth.iter().any(|offer| offer == name);
    let reply = if offered("PLAIN") {
        let secret = STANDARD.encode(format!("\0{}\0{}", login.user, login.password));
        say(client, &format!("AUTH PLAIN {secret}")).await?
    } else if offered("LOGIN") {
        let mut reply = say(client, "AUTH LOGIN").await?;
        for word in [&login.user, &login.password] {
            if reply.code != 334 {
                break;
            }
            reply = say(client, &STANDARD.encode(word)).await?;
        }
        reply
    } else {
        return Err(Reply::own("4.7.0", "the relay offers neither AUTH PLAIN nor AUTH LOGIN"));
    };
    if reply.code == 235 {
        return Ok(());
    }
    // A wrong password is the operator's to put right: the mail waits.
    let text = format!("the relay does not take our login: {reply}");
    Err(Reply { code: reply.code, ..Reply::own("4.7.8", text) })
}

async fn say(client: &mut Client, line: &str) -> Result<Reply, Reply> {
    client.say(line, limits::OUTBOUND_COMMAND_MAX).await.map_err(|broken| broken.reply("at AUTH"))
}
