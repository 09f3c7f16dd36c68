//! One file out of a gzip member (RFC 1952) or a ZIP archive, never more bytes than are allowed. Knows no report.
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use std::borrow::Cow;

const NO_HEADER: &str = "its header is not whole";

/// The content; bytes that are neither of both are it themselves. Of an archive the first file: reports come alone.
///
/// # Errors
/// It is not whole, packed in another way, or has more than `bytes_max` bytes.
pub(super) fn unpack(packed: &[u8], bytes_max: usize) -> Result<Cow<'_, [u8]>, String> {
    if let Some(rest) = packed.strip_prefix(b"\x1f\x8b") {
        return inflate(gzip_body(rest).ok_or(NO_HEADER)?, bytes_max).map(Cow::Owned);
    }
    if let Some(rest) = packed.strip_prefix(b"PK\x03\x04") {
        let (method, body) = zip_body(rest).ok_or(NO_HEADER)?;
        return match method {
            0 => Ok(Cow::Borrowed(body)),
            8 => inflate(body, bytes_max).map(Cow::Owned),
            other => Err(format!("a ZIP archive with method {other}; known: 0 and 8")),
        };
    }
    Ok(Cow::Borrowed(packed))
}

fn inflate(body: &[u8], bytes_max: usize) -> Result<Vec<u8>, String> {
    let why = |error: miniz_oxide::inflate::DecompressError| match error.status {
        miniz_oxide::inflate::TINFLStatus::HasMoreOutput => format!("unpacked it has more than {bytes_max} bytes"),
        _ => "it cannot be unpacked".to_owned(),
    };
    decompress_to_vec_with_limit(body, bytes_max).map_err(why)
}

/// Behind the header and its optional fields.
fn gzip_body(rest: &[u8]) -> Option<&[u8]> {
    let (method, flags) = (*rest.first()?, *rest.get(1)?);
    let mut body = rest.get(8..).filter(|_| method == 8)?;
    if flags & 4 != 0 {
        let extra = u16::from_le_bytes([*body.first()?, *body.get(1)?]);
        body = body.get(2 + usize::from(extra)..)?;
    }
    for _ in 0..(flags >> 3 & 1) + (flags >> 4 & 1) {
        body = body.get(memchr::memchr(0, body)? + 1..)?;
    }
    if flags & 2 != 0 { body.get(2..) } else { Some(body) }
}

/// The method and the bytes of the first file, from its local header on.
fn zip_body(rest: &[u8]) -> Option<(u16, &[u8])> {
    let number = |at: usize| Some(u16::from_le_bytes([*rest.get(at)?, *rest.get(at + 1)?]));
    let (flags, method) = (number(2)?, number(4)?);
    let size_bytes = u32::from_le_bytes(*rest.get(14..)?.first_chunk()?) as usize;
    let (name, extra) = (usize::from(number(22)?), usize::from(number(24)?));
    let body = rest.get(26 + name + extra..)?;
    // A file that was packed as it came has its size behind it; the packed bytes know their end. One that is encrypted is none of ours.
    let known = flags & 8 == 0 && size_bytes <= body.len();
    (flags & 1 == 0 && (known || method != 0)).then(|| (method, if known { &body[..size_bytes] } else { body }))
}
