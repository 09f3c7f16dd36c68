//! How MAIL asks for a message to be carried, judged by what this server offers in its role: BODY=BINARYMIME (RFC 3030), HOLDFOR and HOLDUNTIL
//! (RFC 4865), BY (RFC 2852), MT-PRIORITY (RFC 6710). Carries nothing: what is asked for is kept with the message in the queue.
use super::envelope::refuse_first;
use super::reply::Reply;
use super::role::Role;
use crate::limits;
use crate::wire::rfc3339;
use posthouse_engine::queue::{DeliverBy, PRIORITY_MAX, Terms};
use smtp_proto::{MAIL_BODY_BINARYMIME, MAIL_BY_NOTIFY, MAIL_BY_RETURN, MAIL_BY_TRACE, MailFrom};

/// What EHLO says of it.
pub(super) fn offered(role: Role, now: i64) -> Vec<String> {
    let mut lines = vec!["BINARYMIME".to_owned()];
    if role == Role::Submission {
        let max = limits::SMTP_HOLD_SECONDS_MAX;
        lines.push(format!("FUTURERELEASE {max} {}", rfc3339(now + max)));
    }
    if takes_requests(role) {
        lines.push(format!("DELIVERBY {}", limits::SMTP_DELIVER_BY_SECONDS_MIN));
        lines.push("MT-PRIORITY".into());
    }
    lines
}

/// What LMTP delivers is delivered at once, and needs no such requests.
fn takes_requests(role: Role) -> bool {
    role != Role::Lmtp
}

/// The terms that `from` asks for.
pub(super) fn read(from: &MailFrom<String>, role: Role, now: i64) -> Result<Terms, Reply> {
    let by = from.flags & (MAIL_BY_NOTIFY | MAIL_BY_RETURN) != 0;
    let (holds, requests) = (role == Role::Submission, takes_requests(role));
    refuse_first(&[
        (from.hold_for != 0 && !holds, "HOLDFOR"),
        (from.hold_until != 0 && !holds, "HOLDUNTIL"),
        (by && !requests, "BY"),
        (from.mt_priority != 0 && !requests, "MT-PRIORITY"),
    ])?;
    let hold_until = hold_until(from, now)?;
    let deliver_by = if by { Some(deliver_by(from, now, hold_until)?) } else { None };
    let priority = priority(from.mt_priority, role)?;
    Ok(Terms { hold_until, deliver_by, priority, binary: from.flags & MAIL_BODY_BINARYMIME != 0 })
}

/// A time that is over is no reason to refuse: the message goes at once.
fn hold_until(from: &MailFrom<String>, now: i64) -> Result<i64, Reply> {
    if from.hold_for != 0 && from.hold_until != 0 {
        // RFC 4865 section 4.2, point 9.
        return Err(Reply::new(501, "5.5.4 HOLDFOR and HOLDUNTIL exclude each other"));
    }
    let max = limits::SMTP_HOLD_SECONDS_MAX;
    let until = match from.hold_for {
        0 => i64::try_from(from.hold_until).unwrap_or(i64::MAX),
        seconds => now.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX)),
    };
    if until > now.saturating_add(max) {
        let text = format!("5.5.4 A message is held for {max} seconds at most, now until {}", rfc3339(now + max));
        return Err(Reply::new(501, text));
    }
    Ok(if until > now { until } else { 0 })
}

/// The time counts from MAIL on, and nothing is held beyond it.
fn deliver_by(from: &MailFrom<String>, now: i64, hold_until: i64) -> Result<DeliverBy, Reply> {
    let returns = from.flags & MAIL_BY_RETURN != 0;
    let min = limits::SMTP_DELIVER_BY_SECONDS_MIN;
    if returns && from.by <= 0 {
        // RFC 2852 section 4: nothing can be delivered in a time that is over.
        return Err(Reply::new(501, "5.5.4 BY with R needs a time above 0"));
    }
    if returns && from.by < min {
        // RFC 2852 section 3.
        return Err(Reply::new(555, format!("5.5.4 BY with R is taken for {min} seconds and more")));
    }
    let at = now.saturating_add(from.by);
    if hold_until > at {
        // RFC 4865 section 5.2.2.
        return Err(Reply::new(501, "5.5.4 The message would be held beyond the time of BY"));
    }
    Ok(DeliverBy { at, returns, trace: from.flags & MAIL_BY_TRACE != 0 })
}

/// RFC 6710 section 4.1: who may not have the priority gets the highest that it may.
fn priority(asked: i64, role: Role) -> Result<i8, Reply> {
    let most = if role == Role::Submission { limits::SMTP_MEMBER_PRIORITY_MAX } else { limits::SMTP_HOST_PRIORITY_MAX };
    match i8::try_from(asked) {
        Ok(asked) if (-PRIORITY_MAX..=PRIORITY_MAX).contains(&asked) => Ok(asked.min(most)),
        _ => Err(Reply::new(501, "5.5.4 MT-PRIORITY goes from -9 to 9")),
    }
}
