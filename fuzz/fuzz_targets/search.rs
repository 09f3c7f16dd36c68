//! SEARCH over a message: never fails; BODY finds only what TEXT finds; what is found of a text is found of its part; folding keeps parts.
#![no_main]
use posthouse_engine::search::text::{contains_text, decoded_header, fold, to_unicode};
use posthouse_fuzz::{Take, mail};

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    let mut take = Take(data);
    let len = usize::from(take.u8() % 16);
    let needle = String::from_utf8_lossy(take.bytes(len)).into_owned();
    let message = take.0;
    let needle = fold(&needle);
    let (text, body) = (contains_text(message, &needle, false), contains_text(message, &needle, true));
    assert!(text || !body, "{needle:?} in the body and not in the text");
    assert!(contains_text(message, "", true));
    if let Some((at, _)) = needle.char_indices().nth(1)
        && text
    {
        assert!(contains_text(message, &needle[at..], false), "{needle:?} is found, {:?} is not", &needle[at..]);
    }
    assert!(fold(&decoded_header(message)).len() <= 16 * message.len() + 16);
    let charset = message.get(..len);
    let whole = to_unicode(message, charset);
    if let Some((at, _)) = whole.char_indices().nth(whole.chars().count() / 2) {
        assert_eq!(fold(&whole), fold(&whole[..at]) + &fold(&whole[at..]));
    }
}

fn seeds() -> Vec<Vec<u8>> {
    mail::samples().into_iter().map(|message| [b"\x05hello".as_slice(), &message].concat()).collect()
}
