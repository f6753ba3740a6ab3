//! Subkeys of a key version (token contract, "Keys and subkeys").
//!
//! `subkey = HKDF-SHA-256(IKM = version, salt = empty, info = "tokenkit/1" ‖ 0x00 ‖ u8 purpose ‖
//! domain, L)`, by RFC 5869. Purpose and domain separate the uses of a key version from each
//! other: what one of them leaks or loses says nothing about the rest.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::scrub::scrubbed;

/// What a subkey is for. The numbers are part of the contract and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Sealed tokens; 64 bytes, all others 32.
    AesSiv = 1,
    /// Format-preserving encryption.
    Ff1 = 2,
    /// Keyed hashes.
    Hmac = 3,
    /// Randomized encryption.
    AesGcm = 4,
    /// Prefix-preserving encryption of IP addresses.
    PrefixPreservingIp = 5,
    /// Date shifts.
    DateShift = 6,
    /// The MAC over the metadata that goes with tokens.
    MetadataMac = 7,
    /// The key-check value.
    KeyCheck = 8,
    /// The proof that a rekey lost nothing.
    RekeyProof = 9,
    /// Cells of rejected rows.
    Rejects = 10,
    /// The chain of the audit log.
    AuditChain = 11,
    /// The hash by which the audit log names a token.
    AuditTokenHash = 12,
}

/// The contract's name and version, with which every `info` starts.
const CONTRACT: &[u8] = b"tokenkit/1\0";

/// The most bytes that one HKDF-SHA-256 expansion gives (RFC 5869 section 2.3).
const MAX_SUBKEY_BYTES: usize = 255 * 32;

/// Fills `out` with the subkey of `version` (32 bytes) for `purpose` and `domain`.
///
/// # Panics
///
/// If `out` is longer than 8,160 bytes, the most that HKDF-SHA-256 can give.
pub fn subkey(version: &[u8], purpose: Purpose, domain: &str, out: &mut [u8]) {
    assert!(out.len() <= MAX_SUBKEY_BYTES, "HKDF-SHA-256 gives at most {MAX_SUBKEY_BYTES} bytes");
    expand(version, &[CONTRACT, &[purpose as u8], domain.as_bytes()], out);
}

/// As [`subkey`], for a key of another kind, which the contract names: `kind ‖ 0x00` stands before the domain, and no
/// domain has such a beginning.
///
/// # Panics
///
/// As [`subkey`].
pub fn raw_subkey(key: &[u8], kind: &str, purpose: Purpose, domain: &str, out: &mut [u8]) {
    assert!(out.len() <= MAX_SUBKEY_BYTES, "HKDF-SHA-256 gives at most {MAX_SUBKEY_BYTES} bytes");
    expand(key, &[CONTRACT, &[purpose as u8], kind.as_bytes(), &[0], domain.as_bytes()], out);
}

/// HKDF-SHA-256 with an empty salt; `info` is joined. Scrubbed, since HKDF's pseudorandom key is as good as the key.
///
/// # Panics
///
/// If `out` is longer than 8,160 bytes, the most that HKDF-SHA-256 can give.
pub fn expand(key: &[u8], info: &[&[u8]], out: &mut [u8]) {
    scrubbed(|| Hkdf::<Sha256>::new(None, key).expand_multi_info(info, out)).expect("the caller checked the length");
}

/// The key-check value: it tells a right key from a wrong one, and may be stored in clear.
pub fn check_value(version: &[u8]) -> [u8; 16] {
    let mut value = [0; 16];
    subkey(version, Purpose::KeyCheck, "", &mut value);
    value
}

/// Whether `domain` is one to 64 characters out of `a-z`, `0-9`, `.`, `_` and `-`.
pub fn is_valid_domain(domain: &str) -> bool {
    (1..=64).contains(&domain.len())
        && domain.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

/// HMAC-SHA-256 (RFC 2104, FIPS 198-1) of one message; scrubbed.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    scrubbed(|| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(message);
        mac.finalize().into_bytes().into()
    })
}
