//! Password hashes (argon2, PHC strings). Takes tens of milliseconds of CPU: never call it on a reactor thread.
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{Ident, Output, PasswordHash, PasswordHasher, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::cell::RefCell;

use crate::base::{Error, Result, limits};

/// Memory in KiB, passes and lanes of new hashes (OWASP's first choice for argon2id).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The hash of a password that nobody has, of the same cost as a new one.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$cG9zdGhvdXNlLWR1bW15$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes a password with a fresh salt into a PHC string (argon2id).
pub fn hash(plain: &str) -> Result<String> {
    if plain.is_empty() || plain.len() > limits::PASSWORD_BYTES_MAX {
        let max = limits::PASSWORD_BYTES_MAX;
        return Err(Error::Invalid(format!("the password has {} bytes; allowed are 1 to {max}", plain.len())));
    }
    let failed = |error: &dyn std::fmt::Display| Error::Invalid(format!("the password cannot be hashed: {error}"));
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| failed(&error))?;
    let salt = SaltString::generate(&mut OsRng);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(argon2.hash_password(plain.as_bytes(), &salt).map_err(|error| failed(&error))?.to_string())
}

/// Whether `plain` is the password of `hash`. A hash that `valid_hash` refuses fits no password.
pub fn verify(hash: &str, plain: &str) -> bool {
    if plain.len() > limits::PASSWORD_BYTES_MAX || valid_hash(hash).is_err() {
        return false;
    }
    PasswordHash::new(hash).is_ok_and(|parsed| is_hash_of(&parsed, plain).unwrap_or(false))
}

thread_local! {
    /// The memory of the last check on this thread: taking 19 MiB anew for each would cost page faults, and allocators keep what they were given.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

fn is_hash_of(parsed: &PasswordHash<'_>, plain: &str) -> argon2::password_hash::Result<bool> {
    let (Some(salt), Some(expected)) = (parsed.salt, parsed.hash) else { return Ok(false) };
    let version = parsed.version.map_or(Ok(Version::default()), Version::try_from)?;
    let params = Params::try_from(parsed)?;
    let blocks = params.block_count();
    let argon2 = Argon2::new(Algorithm::try_from(parsed.algorithm)?, version, params);
    let (mut salt_bytes, mut out) = ([0; Salt::MAX_LENGTH], vec![0; expected.len()]);
    let salt = salt.decode_b64(&mut salt_bytes)?;
    MEMORY.with_borrow_mut(|memory| {
        if memory.len() < blocks {
            memory.resize(blocks, Block::new());
        }
        argon2.hash_password_into_with_memory(plain.as_bytes(), salt, &mut out, &mut memory[..blocks])?;
        memory.truncate(MEMORY_KIB as usize);
        memory.shrink_to(MEMORY_KIB as usize);
        argon2::password_hash::Result::Ok(())
    })?;
    // `Output` compares in constant time.
    Ok(Output::new(&out)? == expected)
}

/// Blocks of memory that the largest hash of this thread has filled: what tests know the work by.
#[cfg(test)]
pub fn blocks_filled() -> usize {
    MEMORY.with_borrow(Vec::len)
}

/// Spends what `verify` spends on a new hash and says no, so that time does not tell who exists.
pub fn verify_dummy(plain: &str) -> bool {
    verify(DUMMY, plain);
    false
}

/// Whether a hash from elsewhere can be taken: argon2id or argon2i as a PHC string, whose check costs no more than
/// `limits::PASSWORD_MEMORY_KIB_MAX`, `PASSWORD_PASSES_MAX` and `PASSWORD_LANES_MAX`.
pub fn valid_hash(hash: &str) -> Result<()> {
    let refuse = |why: &str| {
        Err(Error::Invalid(format!(
            "the password hash {why}; allowed is an argon2id or argon2i PHC string ($argon2id$v=19$m=...,t=...,p=...$salt$hash)"
        )))
    };
    if hash.len() > limits::PASSWORD_HASH_BYTES_MAX {
        return refuse("is too long");
    }
    let Ok(parsed) = PasswordHash::new(hash) else { return refuse("cannot be read") };
    if ![Ident::new_unwrap("argon2id"), Ident::new_unwrap("argon2i")].contains(&parsed.algorithm) {
        return refuse("is of another kind");
    }
    if parsed.salt.is_none() || parsed.hash.is_none() {
        return refuse("lacks its salt or its hash");
    }
    let Ok(params) = Params::try_from(&parsed) else { return refuse("has parameters that argon2 does not have") };
    if params.m_cost() > limits::PASSWORD_MEMORY_KIB_MAX
        || params.t_cost() > limits::PASSWORD_PASSES_MAX
        || params.p_cost() > limits::PASSWORD_LANES_MAX
    {
        return refuse("costs too much to check (m at most 262144, t and p at most 16)");
    }
    Ok(())
}
