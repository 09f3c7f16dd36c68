//! Reads an address header (RFC 5322 section 3.4 with the obsolete forms of 4.4, groups and routes) into the four-part
//! addresses of an IMAP ENVELOPE (RFC 3501 section 7.4.2). Broken addresses come out marked the way Dovecot marks them,
//! so that clients see the same from both. Never fails; never looks at more than the value it was given.
use super::envelope::limited;
use super::lexer::{Lexer, Step};
use crate::base::limits::MIME_ADDRESSES_MAX;

/// Dovecot's words for what an address lacks.
const MISSING_DOMAIN: &[u8] = b"MISSING_DOMAIN";
const SYNTAX_ERROR: &[u8] = b"SYNTAX_ERROR";

/// One element of an ENVELOPE address list. A group begins with only `mailbox` (its name) and ends with nothing.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
pub(super) struct Address {
    pub(super) name: Option<Vec<u8>>,
    pub(super) route: Option<Vec<u8>>,
    pub(super) mailbox: Option<Vec<u8>>,
    pub(super) host: Option<Vec<u8>>,
}

/// Reads an address list up to a number of addresses; an empty or blank value gives none.
pub(super) fn parse_addresses(value: &[u8], count_max: usize) -> Vec<Address> {
    let mut reader = Reader {
        lexer: Lexer::with_comments(value),
        done: Vec::new(),
        now: Address::default(),
        invalid: false,
        count_max,
    };
    if reader.lexer.skip_cfws().more() {
        reader.list();
    }
    reader.done
}

/// The addresses of a list as an ENVELOPE shows them, local parts in quotes; what it marks as broken or without a domain is left out. For
/// those who judge what a reader will see.
pub fn shown_addresses(value: &[u8]) -> Vec<String> {
    let broken = |host: &Vec<u8>| host == MISSING_DOMAIN || host == SYNTAX_ERROR;
    let shown = |one: Address| {
        let (mailbox, host) = (one.mailbox?, one.host.filter(|host| !broken(host))?);
        let mailbox = String::from_utf8_lossy(&mailbox).replace('\\', "\\\\").replace('"', "\\\"");
        Some(format!("\"{mailbox}\"@{}", String::from_utf8_lossy(&host)))
    };
    parse_addresses(limited(value), MIME_ADDRESSES_MAX).into_iter().filter_map(shown).collect()
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    done: Vec<Address>,
    now: Address,
    /// The address being read broke the grammar.
    invalid: bool,
    count_max: usize,
}

impl Reader<'_> {
    /// address-list = address *("," address)
    fn list(&mut self) {
        while self.done.len() < self.count_max {
            if self.address() == Step::End || self.lexer.peek() != Some(b',') {
                return;
            }
            self.lexer.bump();
            match self.lexer.skip_cfws() {
                Step::More => {}
                Step::End => return,
                Step::Bad => return self.add_filled(),
            }
        }
    }

    /// address = mailbox / group
    fn address(&mut self) -> Step {
        let start = self.lexer.pos();
        let mut name = Vec::new();
        if self.lexer.phrase(&mut name).more() && self.lexer.peek() == Some(b':') {
            return self.group(name);
        }
        self.lexer.rewind(start);
        self.mailbox()
    }

    /// The rest of a group, from its colon on.
    fn group(&mut self, name: Vec<u8>) -> Step {
        self.lexer.bump();
        let mut step = self.lexer.skip_cfws();
        self.now.mailbox = Some(name);
        self.add();
        if step.more() && self.lexer.peek() != Some(b';') {
            step = self.group_list();
        }
        if step != Step::Bad {
            step = if self.lexer.peek() == Some(b';') {
                self.lexer.bump();
                self.lexer.skip_cfws()
            } else {
                Step::Bad
            };
        }
        self.add();
        if step == Step::End { Step::End } else { Step::More }
    }

    fn group_list(&mut self) -> Step {
        while self.done.len() < self.count_max {
            self.mailbox();
            if self.lexer.peek() != Some(b',') {
                return Step::More;
            }
            self.lexer.bump();
            if !self.lexer.skip_cfws().more() {
                return Step::Bad;
            }
        }
        Step::Bad
    }

    /// mailbox = name-addr / addr-spec
    fn mailbox(&mut self) -> Step {
        let start = self.lexer.pos();
        let mut step = self.name_addr();
        if step == Step::Bad {
            self.lexer.rewind(start);
            step = self.addr_spec();
            let lone_word = self.now.name.is_none() && self.now.host.is_none();
            if self.invalid && lone_word && self.now.mailbox.is_some() {
                self.now.name = self.now.mailbox.take();
            }
        }
        self.add_filled();
        step
    }

    /// name-addr = [display-name] angle-addr
    fn name_addr(&mut self) -> Step {
        let mut name = Vec::new();
        if !self.lexer.phrase(&mut name).more() || self.lexer.peek() != Some(b'<') {
            return Step::Bad;
        }
        self.now.name = (!name.is_empty()).then_some(name);
        if self.angle_addr() == Step::Bad {
            self.now.host = Some(SYNTAX_ERROR.to_vec());
            self.invalid = true;
        }
        match self.lexer.peek() {
            Some(_) => Step::More,
            None => Step::End,
        }
    }

    /// angle-addr = "<" [obs-route] addr-spec ">"; "<>" is let pass.
    fn angle_addr(&mut self) -> Step {
        self.lexer.bump();
        if !self.lexer.skip_cfws().more() {
            return Step::Bad;
        }
        if self.lexer.peek() == Some(b'@') && !self.route_and_colon() {
            return Step::Bad;
        }
        if self.lexer.peek() != Some(b'>') {
            if !self.local_part(&mut Vec::new()).more() {
                return Step::Bad;
            }
            if self.lexer.peek() == Some(b'@') && !self.domain().more() {
                return Step::Bad;
            }
        }
        if self.lexer.peek() != Some(b'>') {
            return Step::Bad;
        }
        self.lexer.bump();
        self.lexer.skip_cfws()
    }

    /// obs-route; false when nothing can follow it.
    fn route_and_colon(&mut self) -> bool {
        if self.route().more() && self.lexer.peek() == Some(b':') {
            self.lexer.bump();
        } else {
            self.now.route = Some(b"INVALID_ROUTE".to_vec());
            if self.lexer.peek().is_none() {
                return false;
            }
        }
        self.lexer.skip_cfws().more()
    }

    /// obs-domain-list = "@" domain *(*(CFWS / ",") [CFWS] "@" domain)
    fn route(&mut self) -> Step {
        let mut route = Vec::new();
        loop {
            match self.lexer.peek() {
                None => return Step::End,
                Some(b'@') => {}
                Some(_) => break,
            }
            if !route.is_empty() {
                route.push(b',');
            }
            route.push(b'@');
            let step = self.lexer.domain(&mut route);
            if !step.more() {
                return step;
            }
            while self.lexer.skip_cfws().more() && self.lexer.peek() == Some(b',') {
                self.lexer.bump();
            }
        }
        self.now.route = Some(route);
        Step::More
    }

    /// local-part = dot-atom / quoted-string / obs-local-part; `text` gets what was read even if it is broken.
    fn local_part(&mut self, text: &mut Vec<u8>) -> Step {
        let step =
            if self.lexer.peek() == Some(b'"') { self.lexer.quoted(text) } else { self.lexer.loose_dot_atom(text) };
        if step != Step::Bad {
            self.now.mailbox = Some(text.clone());
        }
        step
    }

    fn domain(&mut self) -> Step {
        let mut text = Vec::new();
        let step = self.lexer.domain(&mut text);
        if step != Step::Bad {
            self.now.host = Some(text);
        }
        step
    }

    /// addr-spec, where a comment after it is taken for the display name ("joe@example.com (Joe)"), and a text without
    /// any at-sign for a name without an address.
    fn addr_spec(&mut self) -> Step {
        self.lexer.take_comment();
        let quoted = self.lexer.peek() == Some(b'"');
        let mut text = Vec::new();
        let mut step = self.local_part(&mut text);
        self.invalid |= !step.more();
        let mut has_domain = false;
        if step != Step::End && self.lexer.peek() == Some(b'@') {
            has_domain = true;
            let after = self.domain();
            if !after.more() {
                step = after;
            }
        }
        let comment = self.lexer.take_comment();
        if !comment.is_empty() {
            self.now.name = Some(comment);
        } else if !has_domain {
            self.name_without_address(text, quoted);
            step = Step::Bad;
        }
        step
    }

    fn name_without_address(&mut self, mut name: Vec<u8>, quoted: bool) {
        name.push(b' ');
        let len = name.len();
        let _ = self.lexer.phrase(&mut name);
        if name.len() > len {
            self.now.mailbox = None;
            self.now.name = Some(name);
        } else if !quoted {
            self.now.host = Some(Vec::new());
        }
        self.invalid = true;
    }

    /// Adds the address with Dovecot's words for what it lacks.
    fn add_filled(&mut self) {
        if self.now.mailbox.is_none() {
            self.now.mailbox = Some(b"MISSING_MAILBOX".to_vec());
        }
        if self.now.host.as_ref().is_none_or(Vec::is_empty) {
            self.now.host = Some(MISSING_DOMAIN.to_vec());
        }
        self.add();
    }

    fn add(&mut self) {
        self.done.push(std::mem::take(&mut self.now));
        self.invalid = false;
    }
}
