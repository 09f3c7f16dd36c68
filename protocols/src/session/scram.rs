//! SCRAM's messages (RFC 5802, RFC 7677) as the server reads and writes them, with channel binding (RFC 5929, RFC 9266). Knows no keys and
//! checks no proof.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

/// What binds an exchange to the TLS connection that it is spoken over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// `tls-server-end-point` (RFC 5929 section 4): the certificate's hash.
    pub end_point: Option<Vec<u8>>,
    /// `tls-exporter` (RFC 9266).
    pub exporter: Option<Vec<u8>>,
}

impl Bindings {
    /// Whether there is any.
    pub fn is_some(&self) -> bool {
        self.end_point.is_some() || self.exporter.is_some()
    }

    fn named(&self, name: &str) -> Option<&[u8]> {
        match name {
            "tls-server-end-point" => self.end_point.as_deref(),
            "tls-exporter" => self.exporter.as_deref(),
            _ => None,
        }
    }
}

/// Why an exchange is over before a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Not of the form.
    Form,
    /// The client asks to act for somebody else.
    Authorization,
    /// What the client says of channel binding does not hold: somebody may be in between (RFC 5802 section 6).
    Binding,
}

/// client-first-message, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct First {
    /// The login name.
    pub(super) name: String,
    /// What follows the GS2 header: begins the AuthMessage.
    bare: String,
    nonce: String,
    /// What `c=` must say, decoded.
    binding: Vec<u8>,
}

/// After the server's first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Second {
    /// client-first-message-bare, server-first-message and the commas behind them.
    message: String,
    nonce: String,
    binding: Vec<u8>,
}

/// client-final-message, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Last {
    /// AuthMessage.
    pub(super) message: String,
    /// ClientProof.
    pub(super) proof: Vec<u8>,
}

impl First {
    /// Reads the client's first message. `plus`: the mechanism is a -PLUS one; `bindings`: what was offered.
    pub(super) fn read(text: &[u8], plus: bool, bindings: &Bindings) -> Result<First, Broken> {
        let text = std::str::from_utf8(text).map_err(|_| Broken::Form)?;
        let mut parts = text.splitn(3, ',');
        let (Some(flag), Some(authorize), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Broken::Form);
        };
        let data: &[u8] = match (flag, flag.strip_prefix("p=")) {
            (_, Some(name)) if plus => bindings.named(name).ok_or(Broken::Binding)?,
            ("n", _) if !plus => &[],
            // The client could, and believes that we cannot: it has not seen our -PLUS.
            ("y", _) if !plus && bindings.is_some() => return Err(Broken::Binding),
            ("y", _) if !plus => &[],
            _ => return Err(Broken::Form),
        };
        let mut attributes = bare.split(',');
        let name = attributes.next().and_then(|it| it.strip_prefix("n=")).and_then(sasl_name).ok_or(Broken::Form)?;
        let nonce = attributes.next().and_then(|it| it.strip_prefix("r=")).filter(|nonce| is_nonce(nonce));
        let nonce = nonce.ok_or(Broken::Form)?.to_owned();
        if !authorize.is_empty() {
            let other = authorize.strip_prefix("a=").and_then(sasl_name).ok_or(Broken::Form)?;
            if !other.eq_ignore_ascii_case(&name) {
                return Err(Broken::Authorization);
            }
        }
        let binding = [format!("{flag},{authorize},").as_bytes(), data].concat();
        Ok(First { name, bare: bare.to_owned(), nonce, binding })
    }

    /// The server's first message, and what its answer is read with. `fresh`: our part of the nonce.
    pub(super) fn answer(self, fresh: &str, salt: &[u8], iterations: u32) -> (String, Second) {
        let nonce = self.nonce + fresh;
        let server = format!("r={nonce},s={},i={iterations}", STANDARD.encode(salt));
        let message = format!("{},{server},", self.bare);
        (server, Second { message, nonce, binding: self.binding })
    }
}

impl Second {
    /// Reads the client's last message.
    pub(super) fn read(self, text: &[u8]) -> Result<Last, Broken> {
        let text = std::str::from_utf8(text).map_err(|_| Broken::Form)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Broken::Form)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|it| it.strip_prefix("c=")).ok_or(Broken::Form)?;
        let nonce = attributes.next().and_then(|it| it.strip_prefix("r=")).ok_or(Broken::Form)?;
        if nonce != self.nonce {
            return Err(Broken::Form);
        }
        if STANDARD.decode(binding).map_err(|_| Broken::Form)? != self.binding {
            return Err(Broken::Binding);
        }
        let proof = STANDARD.decode(proof).map_err(|_| Broken::Form)?;
        Ok(Last { message: self.message + without_proof, proof })
    }
}

/// The server's last message.
pub(super) fn server_final(signature: &[u8]) -> String {
    let mut message = String::from("v=");
    let _ = write!(message, "{}", STANDARD.encode(signature));
    message
}

/// `printable` of RFC 5802 section 7: no comma, bounded.
fn is_nonce(nonce: &str) -> bool {
    (8..=1024).contains(&nonce.len()) && nonce.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b',')
}

/// `saslname` of RFC 5802 section 7: `=2C` and `=3D` stand for comma and equals sign.
pub(super) fn sasl_name(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        name.push_str(before);
        name.push(match after.get(..2)? {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        rest = &after[2..];
    }
    name.push_str(rest);
    (!name.is_empty() && !name.contains('\0')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Bindings {
        Bindings { end_point: Some(b"cert".to_vec()), exporter: None }
    }

    fn read(text: &str, plus: bool, bindings: &Bindings) -> Result<String, Broken> {
        First::read(text.as_bytes(), plus, bindings).map(|first| first.name)
    }

    #[test]
    fn first_messages() {
        let none = Bindings::default();
        let name = |text: &str| Ok(text.to_owned());
        assert_eq!(read("n,,n=user,r=12345678", false, &none), name("user"));
        assert_eq!(read("y,,n=us=2Cer=3D,r=12345678,x=later", false, &none), name("us,er="));
        assert_eq!(read("n,a=USER,n=user,r=12345678", false, &none), name("user"));
        assert_eq!(read("n,a=boss,n=user,r=12345678", false, &none), Err(Broken::Authorization));
        assert_eq!(read("y,,n=user,r=12345678", false, &bound()), Err(Broken::Binding), "a downgrade");
        assert_eq!(read("n,,n=user,r=12345678", false, &bound()), name("user"));
        assert_eq!(read("p=tls-server-end-point,,n=user,r=12345678", true, &bound()), name("user"));
        assert_eq!(read("p=tls-unique,,n=user,r=12345678", true, &bound()), Err(Broken::Binding));
        assert_eq!(read("n,,n=user,r=12345678", true, &bound()), Err(Broken::Form));
        assert_eq!(read("p=tls-server-end-point,,n=user,r=12345678", false, &bound()), Err(Broken::Form));
        for broken in [
            "",
            "n,,",
            "n,,n=user",
            "n,,n=,r=12345678",
            "n,,n=u=2c,r=12345678",
            "n,,m=1,n=user,r=12345678",
            "n,,n=user,r=123",
        ] {
            assert_eq!(read(broken, false, &none), Err(Broken::Form), "{broken}");
        }
    }

    /// RFC 7677 section 3.
    #[test]
    fn the_example_of_the_rfc() {
        let first = First::read(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", false, &Bindings::default()).expect("read");
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let (server, second) = first.answer("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", &salt, 4096);
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        assert_eq!(server, format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let last = second.clone().read(format!("c=biws,r={nonce},p={proof}").as_bytes()).expect("read");
        assert_eq!(last.message, format!("n=user,r=rOprNGfwEbeRWgbNEkqO,{server},c=biws,r={nonce}"));
        assert_eq!(STANDARD.encode(&last.proof), proof);
        assert_eq!(second.clone().read(format!("c=eSws,r={nonce},p={proof}").as_bytes()), Err(Broken::Binding));
        assert_eq!(second.clone().read(format!("c=biws,r={nonce}x,p={proof}").as_bytes()), Err(Broken::Form));
        assert_eq!(second.read(format!("c=biws,r={nonce}").as_bytes()), Err(Broken::Form));
    }
}
