//! Tells the sender of a message by mail that some of its copies failed, when the reply could not: a delivery status notification (RFC 3464)
//! with the message's header. Never answers the null sender, so that bounces do not bounce.
use super::reply::Reply;
use crate::limits;
use crate::session::Shared;
use crate::wire::write_date_time;
use posthouse_engine::base::Flags;
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::{Address, Resolution};
use posthouse_engine::queue::{NewQueueItem, QueueRecipient};

/// The part of a message's header that a bounce returns.
pub(super) fn header_of(message: &[u8], size_bytes: usize) -> Vec<u8> {
    message[..size_bytes.min(limits::SMTP_BOUNCE_HEADER_BYTES_MAX)].to_vec()
}

/// Sends it to the sender's mailbox or into the queue. `id` is the message's; `failed` holds each recipient with its refusal.
pub(super) async fn send(shared: &Shared, sender: &str, failed: &[(String, Reply)], header: Vec<u8>, id: &str) {
    let Ok(address) = Address::parse(sender) else {
        tracing::warn!(id, failed = failed.len(), "copies failed, and there is no sender to tell");
        return;
    };
    let (mut targets, mut queue) = (Vec::new(), Vec::new());
    match shared.engine.resolve(&address) {
        Resolution::Recipients { local, .. } => targets.extend(local.into_iter().map(|recipient| Target {
            account: recipient.account,
            place: Place::Inbox,
            flags: Flags::NONE,
            // A notice of lost mail must not be lost for want of room.
            quota_bytes_max: None,
        })),
        Resolution::NotLocal => queue.push(NewQueueItem {
            account: None,
            sender: String::new(),
            recipients: vec![QueueRecipient { address: address.to_string(), notify: 1, orcpt: String::new() }],
            ..NewQueueItem::default()
        }),
        Resolution::Unknown | Resolution::Disabled => {}
    }
    let local = !targets.is_empty();
    let bytes = write(shared, &address, failed, &header, local);
    let staged = match shared.engine.stage(Vec::new(), bytes).await {
        Ok(staged) => staged,
        Err(error) => {
            tracing::error!(id, %error, "a bounce could not be made");
            return;
        }
    };
    let outcome = shared.engine.deliver(Delivery { staged, targets, queue }).await;
    let failure = outcome.targets.into_iter().filter_map(Result::err).next().or(outcome.queued.err());
    match failure {
        Some(error) => tracing::error!(id, sender = %address, %error, "a bounce was not delivered"),
        None => tracing::info!(id, sender = %address, failed = failed.len(), "bounce sent"),
    }
}

/// The report: a text for a person, the fields of RFC 3464, the header of the message.
fn write(shared: &Shared, to: &Address, failed: &[(String, Reply)], header: &[u8], local: bool) -> Vec<u8> {
    let host = &shared.hostname;
    let number = shared.next_id();
    // In no line of the parts: what others wrote is in the header part only, and that cannot know the number.
    let boundary = format!("=_bounce_{number:X}");
    let mut out = Vec::with_capacity(2048 + header.len());
    let mut line = |text: &str| {
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b"\r\n");
    };
    if local {
        line("Return-Path: <>");
    }
    line(&format!("From: Mail delivery <MAILER-DAEMON@{host}>"));
    line(&format!("To: <{to}>"));
    line("Subject: Undelivered mail");
    line(&format!("Message-ID: <{number:X}.bounce@{host}>"));
    let mut date = b"Date: ".to_vec();
    write_date_time(&mut date, shared.clock.now());
    line(&String::from_utf8_lossy(&date));
    // RFC 3834 section 5: nobody's vacation notice answers it.
    line("Auto-Submitted: auto-replied");
    line("MIME-Version: 1.0");
    line(&format!("Content-Type: multipart/report; report-type=delivery-status; boundary=\"{boundary}\"\r\n"));
    line(&format!("--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"));
    line(&format!("Your message could not be delivered to everybody. {host} says:\r\n"));
    for (address, reply) in failed {
        line(&format!("  {address}\r\n    {} {}\r\n", reply.code, reply.text));
    }
    line("The others have received it. Its header follows below.\r\n");
    line(&format!("--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; {host}"));
    for (address, reply) in failed {
        line(&format!(
            "\r\nFinal-Recipient: rfc822; {address}\r\nAction: failed\r\nStatus: {}",
            permanent(&reply.status())
        ));
        line(&format!("Diagnostic-Code: smtp; {} {}", reply.code, reply.text));
    }
    line(&format!("\r\n--{boundary}\r\nContent-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 8bit\r\n"));
    out.extend_from_slice(header);
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    out
}

/// Nothing is tried again, so the failure is a final one whatever class it had.
fn permanent(status: &str) -> String {
    match status.strip_prefix('4') {
        Some(rest) => format!("5{rest}"),
        None => status.to_owned(),
    }
}
