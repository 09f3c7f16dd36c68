//! CAPABILITY (RFC 3501 section 6.1.1): what this server can do, given the state of the session.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

/// Offered in every state. LITERAL+ without LITERAL-: RFC 7888 section 5 forbids to announce both.
const ALWAYS: &str = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE";
/// Offered after login besides.
const AUTHENTICATED: &str = "IDLE UIDPLUS MOVE UNSELECT NAMESPACE CHILDREN SPECIAL-USE CREATE-SPECIAL-USE CONDSTORE QRESYNC \
                             ESEARCH SEARCHRES WITHIN LIST-EXTENDED LIST-STATUS QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE STATUS=SIZE OBJECTID \
                             MULTIAPPEND BINARY CATENATE SAVEDATE PREVIEW PARTIAL INPROGRESS \
                             SORT SORT=DISPLAY ESORT CONTEXT=SEARCH CONTEXT=SORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES \
                             THREAD=REFS REPLACE UTF8=ACCEPT I18NLEVEL=1 UIDONLY UNAUTHENTICATE METADATA LIST-METADATA \
                             ACL RIGHTS=kxte LIST-MYRIGHTS NOTIFY UIDBATCHES MULTISEARCH URLAUTH URL-PARTIAL";

/// The capabilities, with spaces between.
pub(in crate::imap) fn list(session: &Session) -> String {
    let mut list = String::from(ALWAYS);
    if session.login.is_some() {
        list.push(' ');
        list.push_str(AUTHENTICATED);
        if !session.stream.is_compressed() {
            list.push_str(" COMPRESS=DEFLATE");
        }
        list.push(' ');
        list.push_str(&session.announced_limit());
        if session.administers_quotas() {
            // RFC 9208 section 4.1.3: who may not set a quota is not told of it.
            list.push_str(" QUOTASET");
        }
        // RFC 7889
        list.push_str(&format!(" APPENDLIMIT={}", session.shared.message_size_bytes_max));
        return list;
    }
    if session.shared.tls.is_some() && !session.stream.is_tls() {
        list.push_str(" STARTTLS");
    }
    if session.may_log_in() {
        for mechanism in session.shared.mechanisms(&session.place()) {
            list.push_str(" AUTH=");
            list.push_str(mechanism.name());
        }
    } else {
        // RFC 3501 section 6.2.3
        list.push_str(" LOGINDISABLED");
    }
    list
}

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        request.args().end()?;
        let line = format!("CAPABILITY {}", list(session));
        session.untagged(&line);
        Ok(Answer::ok("CAPABILITY completed"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_offered_twice_and_one_kind_of_literals() {
        let mut all: Vec<&str> = ALWAYS.split_whitespace().chain(AUTHENTICATED.split_whitespace()).collect();
        assert_eq!(all.iter().filter(|name| name.starts_with("LITERAL")).collect::<Vec<_>>(), [&"LITERAL+"]);
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
