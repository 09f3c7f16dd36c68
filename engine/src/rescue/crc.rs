//! What a CRC-32 tells beyond right or wrong: which single byte of a payload was changed, and with which salt a header was written.
//! Pure arithmetic; believes nothing itself.

/// The CRC-32 polynomial of IEEE 802.3, reflected.
const POLYNOMIAL: u32 = 0xedb8_8320;

const TABLE: [u32; 256] = table();
const REVERSE: [u8; 256] = reverse();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = at as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ POLYNOMIAL } else { value >> 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
}

/// The index of the table's value with a given highest byte; each stands there once.
const fn reverse() -> [u8; 256] {
    let mut reverse = [0; 256];
    let mut at = 0;
    while at < 256 {
        reverse[(TABLE[at] >> 24) as usize] = at as u8;
        at += 1;
    }
    reverse
}

/// The register one zero byte earlier.
fn back(register: u32) -> u32 {
    let at = REVERSE[(register >> 24) as usize];
    (register ^ TABLE[at as usize]) << 8 | u32::from(at)
}

/// The starting value with which the CRC-32 of `bytes` comes out as `crc`.
pub(super) fn salt_of(bytes: &[u8], crc: u32) -> u32 {
    !bytes.iter().rev().fold(!crc, |register, byte| back(register) ^ u32::from(*byte))
}

/// Every single change of one byte after which `bytes`, whose CRC-32 is `found`, have the CRC-32 `wanted`: offset and what to xor with.
/// Of a random damage some come out by chance, one in 2^24 bytes looked at; the caller needs a second proof.
pub(super) fn single_changes(len: usize, found: u32, wanted: u32) -> Vec<(usize, u8)> {
    let mut register = found ^ wanted;
    let mut changes = Vec::new();
    for at in (0..len).rev() {
        register = back(register);
        if register != 0 && register < 256 {
            changes.push((at, register as u8));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_changed_byte_is_found(mut bytes in proptest::collection::vec(any::<u8>(), 1..5000), at in any::<prop::sample::Index>(), change in 1u8..) {
            let wanted = crc32fast::hash(&bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            let changes = single_changes(bytes.len(), crc32fast::hash(&bytes), wanted);
            prop_assert!(changes.contains(&(at, change)), "{:?}", changes);
            for (at, change) in changes {
                let mut mended = bytes.clone();
                mended[at] ^= change;
                prop_assert_eq!(crc32fast::hash(&mended), wanted);
            }
        }

        #[test]
        fn a_salt_is_found(bytes in proptest::collection::vec(any::<u8>(), 0..100), salt: u32) {
            let crc = crate::format::frame::salted_crc(salt, &bytes);
            prop_assert_eq!(salt_of(&bytes, crc), salt);
        }
    }
}
