//! Addresses and parameters of MAIL and RCPT as smtp-proto reads them, judged by what this server offers. Looks nobody up.
use super::reply::Reply;
use posthouse_engine::directory::Address;
use smtp_proto::{
    MAIL_BODY_BINARYMIME, MAIL_BY_NOTIFY, MAIL_BY_RETURN, MAIL_CONPERM, MAIL_REQUIRETLS, MAIL_RET_FULL, MAIL_RET_HDRS,
    MailFrom, RCPT_CONNEG, RCPT_NOTIFY_DELAY, RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_NEVER, RCPT_NOTIFY_SUCCESS,
    RCPT_RRVS_CONTINUE, RCPT_RRVS_REJECT, RcptTo,
};

/// Refuses what EHLO has not offered (RFC 5321 section 4.1.1.11). `keeps_tls`: REQUIRETLS was.
pub(super) fn check_mail(from: &MailFrom<String>, keeps_tls: bool) -> Result<(), Reply> {
    let by = MAIL_BY_NOTIFY | MAIL_BY_RETURN;
    let not_offered = [
        (from.flags & MAIL_BODY_BINARYMIME != 0, "BODY=BINARYMIME"),
        (from.flags & by != 0, "BY"),
        (from.flags & MAIL_CONPERM != 0, "CONPERM"),
        (from.flags & MAIL_REQUIRETLS != 0 && !keeps_tls, "REQUIRETLS"),
        (from.hold_for != 0, "HOLDFOR"),
        (from.hold_until != 0, "HOLDUNTIL"),
        (from.mt_priority != 0, "MT-PRIORITY"),
        (from.solicit.is_some(), "SOLICIT"),
        (from.mtrk.is_some(), "MTRK"),
        (from.trans_id.is_some(), "TRANSID"),
    ];
    refuse_first(&not_offered)
}

/// The same for RCPT, and NEVER stands alone (RFC 3461 section 4.1).
pub(super) fn check_rcpt(to: &RcptTo<String>) -> Result<(), Reply> {
    let rrvs = RCPT_RRVS_REJECT | RCPT_RRVS_CONTINUE;
    refuse_first(&[(to.flags & RCPT_CONNEG != 0, "CONNEG"), (to.flags & rrvs != 0, "RRVS")])?;
    let others = RCPT_NOTIFY_SUCCESS | RCPT_NOTIFY_FAILURE | RCPT_NOTIFY_DELAY;
    if to.flags & RCPT_NOTIFY_NEVER != 0 && to.flags & others != 0 {
        return Err(Reply::new(501, "5.5.4 NEVER stands alone in NOTIFY"));
    }
    Ok(())
}

fn refuse_first(not_offered: &[(bool, &str)]) -> Result<(), Reply> {
    match not_offered.iter().find(|(given, _)| *given) {
        Some((_, name)) => Err(Reply::new(555, format!("5.5.4 {name} is not offered here"))),
        None => Ok(()),
    }
}

/// RET of RFC 3461 section 4.3: 0 not given, 1 FULL, 2 HDRS.
pub(super) fn ret(flags: u64) -> u8 {
    match flags & (MAIL_RET_FULL | MAIL_RET_HDRS) {
        0 => 0,
        MAIL_RET_FULL => 1,
        _ => 2,
    }
}

/// NOTIFY of RFC 3461 section 4.1, as `QueueRecipient` has it.
pub(super) fn notify(flags: u64) -> u8 {
    let bits = [(RCPT_NOTIFY_NEVER, 1), (RCPT_NOTIFY_SUCCESS, 2), (RCPT_NOTIFY_FAILURE, 4), (RCPT_NOTIFY_DELAY, 8)];
    bits.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, value)| value).sum()
}

/// An address as a command gave it, without brackets. `code` and `status` are for what is no address.
pub(super) fn address(text: &str, utf8: bool, code: u16, status: &str) -> Result<Address, Reply> {
    if !utf8 && !text.is_ascii() {
        return Err(Reply::new(553, "5.6.7 An address in UTF-8 needs SMTPUTF8 at MAIL"));
    }
    Address::parse(&requoted(text))
        .map_err(|why| Reply::new(code, format!("{status} {}", super::reply::one_line(&why))))
}

/// smtp-proto takes the quotes off a local part; where they mean something they are put back (RFC 5321 section 4.1.2).
pub(super) fn requoted(text: &str) -> String {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    let special = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !"!#$%&'*+-/=?^_`{|}~.".contains(c);
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    if !dots && !local.contains(special) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in local.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push_str("\"@");
    quoted.push_str(domain);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_come_back_where_they_matter() {
        assert_eq!(requoted("a.b@x.test"), "a.b@x.test");
        assert_eq!(requoted("a b@x.test"), "\"a b\"@x.test");
        assert_eq!(requoted("a\"b@c@x.test"), "\"a\\\"b@c\"@x.test");
        assert_eq!(requoted("\u{90ae}@x.test"), "\u{90ae}@x.test");
    }

    #[test]
    fn dsn_parameters() {
        assert_eq!(notify(RCPT_NOTIFY_SUCCESS | RCPT_NOTIFY_DELAY), 10);
        assert_eq!((ret(0), ret(MAIL_RET_FULL), ret(MAIL_RET_HDRS)), (0, 1, 2));
    }
}
