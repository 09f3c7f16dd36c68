//! A SCRAM client (RFC 5802 section 3) for the tests of every protocol. Compiled for tests only.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::directory::ScramHash;
use std::num::NonZeroU32;

/// An exchange from the client's side.
pub(crate) struct ScramClient {
    hash: ScramHash,
    gs2: String,
    binding: Vec<u8>,
    bare: String,
    password: String,
    signature: Vec<u8>,
}

impl ScramClient {
    /// With the GS2 header `gs2` (`n,,`), binding data behind it, a name and a password.
    pub(crate) fn new(hash: ScramHash, gs2: &str, binding: &[u8], name: &str, password: &str) -> ScramClient {
        let bare = format!("n={name},r=0123456789abcdef");
        let (binding, password) = (binding.to_vec(), password.to_owned());
        ScramClient { hash, gs2: gs2.to_owned(), binding, bare, password, signature: Vec::new() }
    }

    /// client-first-message in base64.
    pub(crate) fn first(&self) -> String {
        STANDARD.encode(format!("{}{}", self.gs2, self.bare))
    }

    /// client-final-message in base64, to the server's first one.
    pub(crate) fn last(&mut self, server: &str) -> String {
        let server = String::from_utf8(STANDARD.decode(server).expect("base64")).expect("UTF-8");
        let part = |key: &str| server.split(',').find_map(|it| it.strip_prefix(key)).expect("an attribute").to_owned();
        let salt = STANDARD.decode(part("s=")).expect("base64");
        let rounds = NonZeroU32::new(part("i=").parse().expect("a number")).expect("rounds");
        let (algorithm, len) = match self.hash {
            ScramHash::Sha1 => (ring::pbkdf2::PBKDF2_HMAC_SHA1, 20),
            ScramHash::Sha256 => (ring::pbkdf2::PBKDF2_HMAC_SHA256, 32),
        };
        let mut salted = vec![0; len];
        ring::pbkdf2::derive(algorithm, rounds, &salt, self.password.as_bytes(), &mut salted);
        let client_key = self.hash.mac(&salted, b"Client Key");
        let binding = STANDARD.encode([self.gs2.as_bytes(), &self.binding].concat());
        let without_proof = format!("c={binding},r={}", part("r="));
        let message = format!("{},{server},{without_proof}", self.bare);
        let signature = self.hash.mac(&self.hash.hash(&client_key), message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect();
        self.signature = self.hash.mac(&self.hash.mac(&salted, b"Server Key"), message.as_bytes());
        STANDARD.encode(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    /// What the server's last message must be, in base64: it has proven itself.
    pub(crate) fn expected(&self) -> String {
        STANDARD.encode(format!("v={}", STANDARD.encode(&self.signature)))
    }
}
