//! The charsets that SEARCH takes (RFC 3501 section 6.4.4): a search string's bytes to folded Unicode. Looks into no message.
use posthouse_engine::search::text::{fold, to_unicode};

/// Names as the BADCHARSET response code lists them.
pub(in crate::imap) const NAMES: &str = "UTF-8 US-ASCII GBK GB2312 GB18030 BIG5 ISO-8859-1 SHIFT_JIS EUC-JP EUC-KR";

/// Whether search strings may be in this charset.
pub(in crate::imap) fn is_known(charset: &str) -> bool {
    NAMES.split(' ').any(|name| name.eq_ignore_ascii_case(charset))
}

/// The search string in Unicode with case folded.
pub(in crate::imap) fn folded(bytes: &[u8], charset: Option<&str>) -> String {
    // Without CHARSET it is US-ASCII; UTF-8 is what clients then mean by anything else.
    fold(&to_unicode(bytes, Some(charset.unwrap_or("UTF-8").as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets() {
        assert!(is_known("utf-8") && is_known("GBK") && !is_known("EBCDIC"));
        assert_eq!(folded("ÄB".as_bytes(), None), fold("äb"));
        assert_eq!(folded(b"\xc4\xe3\xba\xc3", Some("gbk")), "你好");
    }
}
