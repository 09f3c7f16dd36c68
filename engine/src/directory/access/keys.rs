//! Keys of a password as SCRAM needs them (RFC 5802, RFC 7677), and app passwords. Making keys takes milliseconds of CPU: never on a
//! reactor thread. Keeps no password.
use argon2::password_hash::rand_core::{OsRng, RngCore};
use ring::{digest, hmac, pbkdf2};
use std::fmt;
use std::num::NonZeroU32;

use crate::base::limits::{PASSWORD_BYTES_MAX, SCRAM_ITERATIONS};

/// Which SCRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramHash {
    /// SCRAM-SHA-1, RFC 5802.
    Sha1,
    /// SCRAM-SHA-256, RFC 7677.
    Sha256,
}

impl ScramHash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            ScramHash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            ScramHash::Sha256 => hmac::HMAC_SHA256,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            ScramHash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            ScramHash::Sha256 => &digest::SHA256,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            ScramHash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            ScramHash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        }
    }

    /// `HMAC(key, text)`.
    pub fn mac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(self.hmac(), key), text).as_ref().to_vec()
    }

    /// `H(bytes)`.
    pub fn hash(self, bytes: &[u8]) -> Vec<u8> {
        digest::digest(self.digest(), bytes).as_ref().to_vec()
    }
}

/// What a server needs to check a client and to prove itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyPair<const N: usize> {
    /// StoredKey.
    pub stored: [u8; N],
    /// ServerKey.
    pub server: [u8; N],
}

/// The keys of one password. Whoever has them can try passwords, and play the server: `Debug` hides them.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginKeys {
    /// The same for all passwords of an account.
    pub salt: [u8; 16],
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// For SCRAM-SHA-1.
    pub sha1: KeyPair<20>,
    /// For SCRAM-SHA-256.
    pub sha256: KeyPair<32>,
}

impl fmt::Debug for LoginKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginKeys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl LoginKeys {
    /// The keys of `password`; `None` when it is too long or has characters that SASLprep (RFC 4013) does not let through: such a
    /// password works with PLAIN only.
    pub fn make(password: &str, salt: [u8; 16]) -> Option<LoginKeys> {
        Some(LoginKeys {
            salt,
            iterations: SCRAM_ITERATIONS,
            sha1: pair(ScramHash::Sha1, password, &salt)?,
            sha256: pair(ScramHash::Sha256, password, &salt)?,
        })
    }

    /// StoredKey and ServerKey.
    pub fn of(&self, hash: ScramHash) -> (&[u8], &[u8]) {
        match hash {
            ScramHash::Sha1 => (&self.sha1.stored, &self.sha1.server),
            ScramHash::Sha256 => (&self.sha256.stored, &self.sha256.server),
        }
    }

    /// Whether a client's proof was made with this password (RFC 5802 section 3): then the server's signature.
    pub fn prove(&self, hash: ScramHash, auth_message: &[u8], proof: &[u8]) -> Option<Vec<u8>> {
        let (stored, server) = self.of(hash);
        let mut client_key = hash.mac(stored, auth_message);
        if client_key.len() != proof.len() {
            return None;
        }
        client_key.iter_mut().zip(proof).for_each(|(byte, proof)| *byte ^= proof);
        is_same(&hash.hash(&client_key), stored).then(|| hash.mac(server, auth_message))
    }
}

/// The StoredKey of a password for SCRAM-SHA-256, to compare with many.
pub(super) fn stored_sha256(password: &str, salt: &[u8; 16], iterations: u32) -> Option<[u8; 32]> {
    let prepared = stringprep::saslprep(password).ok()?;
    let salted = salted(ScramHash::Sha256, prepared.as_bytes(), salt, iterations);
    ScramHash::Sha256.hash(&ScramHash::Sha256.mac(&salted, b"Client Key")).try_into().ok()
}

fn salted(hash: ScramHash, password: &[u8], salt: &[u8; 16], iterations: u32) -> Vec<u8> {
    let mut salted = vec![0; hash.digest().output_len()];
    let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    pbkdf2::derive(hash.pbkdf2(), iterations, salt, password, &mut salted);
    salted
}

fn pair<const N: usize>(hash: ScramHash, password: &str, salt: &[u8; 16]) -> Option<KeyPair<N>> {
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return None;
    }
    let prepared = stringprep::saslprep(password).ok()?;
    let salted = salted(hash, prepared.as_bytes(), salt, SCRAM_ITERATIONS);
    let stored = hash.hash(&hash.mac(&salted, b"Client Key")).try_into().ok()?;
    Some(KeyPair { stored, server: hash.mac(&salted, b"Server Key").try_into().ok()? })
}

/// Compares without telling by its time where the first difference is.
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// The salt of a name, the same each time it is asked for, whether somebody has the name or not.
pub fn dummy_salt(secret: &[u8; 32], name: &str) -> [u8; 16] {
    let mac = ScramHash::Sha256.mac(secret, &[b"posthouse salt\0", name.as_bytes()].concat());
    let mut salt = [0; 16];
    salt.copy_from_slice(&mac[..16]);
    salt
}

/// Letters and digits that are not mistaken for each other; 32 of them, so that each takes five bits.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const GROUPS: usize = 4;
const GROUP_LETTERS: usize = 5;

/// A new app password: 100 random bits as four groups of five letters and digits.
pub fn new_app_password() -> String {
    let mut random = [0; GROUPS * GROUP_LETTERS];
    OsRng.fill_bytes(&mut random);
    let letters: Vec<char> = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    letters.chunks(GROUP_LETTERS).map(String::from_iter).collect::<Vec<_>>().join("-")
}

/// The password in the form in which app passwords are made, if it can be one: people leave hyphens out, or write spaces.
pub fn app_password_form(password: &str) -> Option<String> {
    let letters: Vec<char> = password.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    let fits = letters.len() == GROUPS * GROUP_LETTERS
        && letters.iter().all(|c| u8::try_from(*c).is_ok_and(|byte| ALPHABET.contains(&byte)));
    fits.then(|| letters.chunks(GROUP_LETTERS).map(String::from_iter).collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5802 section 5 and RFC 7677 section 3, whose iterations are 4096.
    #[test]
    fn the_examples_of_the_rfcs() {
        let stored = stored_sha256("pencil", b"0123456789abcdef", 4096);
        assert!(stored.is_some() && stored != stored_sha256("pencil", b"0123456789abcdef", 4097));
        let decode = |text| base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).expect("base64");
        for (hash, salt, message, proof, signature) in [
            (
                ScramHash::Sha1,
                "QSXCR+Q6sek8bf92",
                "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
                "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                ScramHash::Sha256,
                "W22ZaJ0SNY7soEsUEjb6gQ==",
                "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ] {
            let salt = decode(salt);
            let mut salted = vec![0; hash.digest().output_len()];
            pbkdf2::derive(hash.pbkdf2(), NonZeroU32::new(4096).expect("not 0"), &salt, b"pencil", &mut salted);
            let stored = hash.hash(&hash.mac(&salted, b"Client Key"));
            let server = hash.mac(&salted, b"Server Key");
            let mut keys = LoginKeys::make("other", [0; 16]).expect("keys");
            match hash {
                ScramHash::Sha1 => {
                    keys.sha1.stored.copy_from_slice(&stored);
                    keys.sha1.server.copy_from_slice(&server);
                }
                ScramHash::Sha256 => {
                    keys.sha256.stored.copy_from_slice(&stored);
                    keys.sha256.server.copy_from_slice(&server);
                }
            }
            let mut proof = decode(proof);
            assert_eq!(keys.prove(hash, message.as_bytes(), &proof), Some(decode(signature)));
            proof[3] ^= 1;
            assert_eq!(keys.prove(hash, message.as_bytes(), &proof), None);
            assert_eq!(keys.prove(hash, message.as_bytes(), &proof[1..]), None);
        }
    }

    #[test]
    fn keys_are_of_the_prepared_password() {
        // RFC 4013 section 3: a soft hyphen is mapped to nothing, a control is prohibited.
        let keys = |password| LoginKeys::make(password, [1; 16]);
        assert_eq!(keys("I\u{ad}X"), keys("IX"));
        assert_ne!(keys("ix"), keys("IX"));
        assert_eq!(keys("\u{7}"), None);
        assert_eq!(keys(""), None);
    }

    #[test]
    fn app_passwords_are_known_by_their_form() {
        let made = new_app_password();
        assert_eq!(app_password_form(&made).as_deref(), Some(made.as_str()));
        assert_eq!(app_password_form(&made.replace('-', " ")).as_deref(), Some(made.as_str()));
        assert_eq!(app_password_form(&made.replace('-', "")).as_deref(), Some(made.as_str()));
        assert_eq!(app_password_form("secret"), None);
        assert_eq!(app_password_form(&made.to_uppercase()), None);
        assert_ne!(made, new_app_password());
    }
}
