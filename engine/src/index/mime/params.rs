//! Reads the structured Content- fields: media type, parameters (RFC 2045 section 5.1, with the continuations and
//! charset marks of RFC 2231 merged but not decoded), disposition, encoding, languages. Never fails: what is broken is
//! left out, as Dovecot leaves it out.
use super::lexer::{Lexer, Step, is_atext};
use crate::base::limits::MIME_PARAMS_MAX;

/// Parameter names and values in wire order.
pub(super) type Params = Vec<(Vec<u8>, Vec<u8>)>;

/// A media type or disposition with its parameters.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
pub(super) struct Typed {
    pub(super) main: Vec<u8>,
    pub(super) sub: Option<Vec<u8>>,
    pub(super) params: Params,
}

impl Typed {
    /// Compares type and subtype without case.
    pub(super) fn is(&self, main: &[u8], sub: &[u8]) -> bool {
        self.main.eq_ignore_ascii_case(main) && self.sub.as_ref().is_some_and(|have| have.eq_ignore_ascii_case(sub))
    }
}

/// Reads Content-Type (RFC 2045 section 5.1). None when there is no type at all, which makes it the default of section
/// 5.2; a type without a subtype is `sub: None`. A missing ";" before the parameters is let pass.
pub(super) fn parse_content_type(value: &[u8]) -> Option<Typed> {
    let mut lexer = Lexer::new(value);
    let mut typed = Typed::default();
    lexer.skip_cfws();
    let step = lexer.token(&mut typed.main);
    if typed.main.is_empty() {
        return None;
    }
    if !step.more() || lexer.peek() != Some(b'/') {
        return Some(typed);
    }
    lexer.bump();
    let mut sub = Vec::new();
    if lexer.skip_cfws().more() && lexer.token(&mut sub) != Step::Bad {
        let bare = if lexer.peek() == Some(b';') { None } else { parse_bare_param(&mut lexer) };
        typed.params = parse_params(&mut lexer);
        typed.params.extend(bare);
    }
    typed.sub = (!sub.is_empty()).then_some(sub);
    Some(typed)
}

/// Reads Content-Disposition (RFC 2183 section 2).
pub(super) fn parse_disposition(value: &[u8]) -> Option<Typed> {
    let mut lexer = Lexer::new(value);
    let mut typed = Typed::default();
    lexer.skip_cfws();
    if lexer.token(&mut typed.main) == Step::Bad {
        return None;
    }
    typed.params = parse_params(&mut lexer);
    Some(typed)
}

/// Reads Content-Transfer-Encoding (RFC 2045 section 6.1); none when anything follows the token.
pub(super) fn parse_encoding(value: &[u8]) -> Option<Vec<u8>> {
    let mut lexer = Lexer::new(value);
    lexer.skip_cfws();
    let mut token = Vec::new();
    let whole = lexer.token(&mut token) == Step::End;
    (whole && !token.is_empty()).then_some(token)
}

/// Reads Content-Language (RFC 3282 section 2).
pub(super) fn parse_languages(value: &[u8]) -> Vec<Vec<u8>> {
    let mut lexer = Lexer::new(value);
    let mut languages = Vec::new();
    while languages.len() < MIME_PARAMS_MAX {
        lexer.skip_cfws();
        let mut language = Vec::new();
        if !lexer.peek().is_some_and(is_atext) || lexer.atom(&mut language) == Step::Bad {
            break;
        }
        languages.push(language);
        if lexer.peek() != Some(b',') {
            break;
        }
        lexer.bump();
    }
    languages
}

/// One piece of an RFC 2231 parameter.
struct Piece {
    key: Vec<u8>,
    index: u32,
    extended: bool,
    value: Vec<u8>,
}

fn parse_params(lexer: &mut Lexer<'_>) -> Params {
    let mut params = Params::new();
    let mut pieces = Vec::new();
    while lexer.peek().is_some() && params.len() + pieces.len() < MIME_PARAMS_MAX {
        let Some((key, value)) = parse_param(lexer) else {
            lexer.bump();
            continue;
        };
        match split_key(&key) {
            Some((len, index, extended)) => pieces.push(Piece { key: key[..len].to_vec(), index, extended, value }),
            None => params.push((key, value)),
        }
    }
    merge_pieces(pieces, &mut params);
    params
}

/// parameter = ";" token "=" (token / quoted-string); also "name==?utf-8?..?=", an encoded word in the wrong place.
fn parse_param(lexer: &mut Lexer<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    if lexer.peek() != Some(b';') {
        return None;
    }
    lexer.bump();
    parse_bare_param(lexer)
}

/// The parameter after its ";".
fn parse_bare_param(lexer: &mut Lexer<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    if !lexer.skip_cfws().more() || !lexer.token(&mut key).more() || lexer.peek() != Some(b'=') {
        return None;
    }
    lexer.bump();
    let step = match (lexer.skip_cfws(), lexer.peek()) {
        (Step::More, Some(b'"')) => lexer.quoted(&mut value),
        (Step::More, Some(b'=')) => {
            while let Some(byte) = lexer.peek().filter(|b| !b"; \t\r\n".contains(b)) {
                value.push(byte);
                lexer.bump();
            }
            Step::More
        }
        (Step::More, _) => lexer.token(&mut value),
        (step, _) => step,
    };
    (step != Step::Bad).then_some((key, value))
}

/// Splits "name*0*" into the length of the name, the index and whether it is extended (RFC 2231 sections 3 and 4).
fn split_key(key: &[u8]) -> Option<(usize, u32, bool)> {
    let star = key.iter().position(|&b| b == b'*')?;
    let rest = &key[star + 1..];
    if rest.is_empty() {
        return Some((star, 0, true));
    }
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let index =
        rest[..digits].iter().fold(0u32, |sum, digit| sum.wrapping_mul(10).wrapping_add(u32::from(digit - b'0')));
    match &rest[digits..] {
        b"" => Some((star, index, false)),
        b"*" => Some((star, index, true)),
        _ => None,
    }
}

fn merge_pieces(mut pieces: Vec<Piece>, params: &mut Params) {
    pieces.sort_by(|a, b| a.key.cmp(&b.key).then(a.index.cmp(&b.index)));
    let mut rest = pieces.as_slice();
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|p| p.key.eq_ignore_ascii_case(&first.key)).count();
        let (group, after) = rest.split_at(same);
        rest = after;
        if group.iter().zip(0u32..).all(|(piece, index)| piece.index == index) {
            params.push(join_pieces(group));
        } else {
            // Indexes are missing: these are given as they were written.
            params.extend(group.iter().map(|piece| (written_key(piece), piece.value.clone())));
        }
    }
}

fn written_key(piece: &Piece) -> Vec<u8> {
    let mut key = piece.key.clone();
    key.push(b'*');
    key.extend_from_slice(piece.index.to_string().as_bytes());
    if piece.extended {
        key.push(b'*');
    }
    key
}

fn join_pieces(group: &[Piece]) -> (Vec<u8>, Vec<u8>) {
    let extended = group.iter().any(|piece| piece.extended);
    let mut key = group[0].key.clone();
    let mut value = Vec::new();
    if extended {
        key.push(b'*');
        if !group[0].extended {
            value.extend_from_slice(b"''");
        }
    }
    for piece in group {
        for &byte in &piece.value {
            match byte {
                b'%' if extended && !piece.extended => value.extend_from_slice(b"%25"),
                _ => value.push(byte),
            }
        }
    }
    (key, value)
}
