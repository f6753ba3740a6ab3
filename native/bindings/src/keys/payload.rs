//! A keyring's payload: metadata and key bytes, sealed with AES-256-GCM under a subkey of the file key.
//!
//! Key bytes go from the registry into the ciphertext and back without passing through Python. Callers scrub.
//! Plaintext: u32be metadata length, metadata, u32be count, then for each version u32be id and its 32 bytes. Where there
//! are keys of other kinds: u32be count, then for each of them u32be id, u8 kind, u8 length and its bytes.

use super::kind::Kind;
use super::registry::{Handle, KeyMaterial, VERSION_BYTES};
use crate::failure::{Code, Failure};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use std::sync::Arc;
use tokenkit_algorithms::derive::{expand, hmac_sha256};
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;
const INFO: &[u8] = b"tokenkit/keyring/1\0";

/// Bytes in a file key.
pub const FILE_KEY_BYTES: usize = 32;

/// Why a payload wasn't opened.
pub enum OpenError {
    /// The header or the ciphertext isn't what was sealed.
    Tampered,
    /// The keys in it can't be loaded.
    Load(Failure),
}

fn part_key(file_key: &[u8; FILE_KEY_BYTES], part: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    expand(file_key, &[INFO, part], key.as_mut());
    key
}

/// HMAC-SHA-256 of the keyring file's header.
pub fn header_mac(file_key: &[u8; FILE_KEY_BYTES], header: &[u8]) -> [u8; 32] {
    hmac_sha256(part_key(file_key, b"header").as_ref(), header)
}

fn cipher(file_key: &[u8; FILE_KEY_BYTES]) -> Result<Aes256Gcm, Failure> {
    Aes256Gcm::new_from_slice(part_key(file_key, b"payload").as_ref())
        .map_err(|_| Failure::new(Code::NativeDefect, "the payload key has the wrong length"))
}

/// Seals metadata and key versions, each with its id; the header is authenticated with them.
pub fn seal(
    file_key: &[u8; FILE_KEY_BYTES],
    header: &[u8],
    metadata: &[u8],
    keys: &[(u32, Arc<KeyMaterial>)],
) -> Result<Vec<u8>, Failure> {
    let too_large = |_| Failure::new(Code::Specification, "the keyring is too large");
    // Allocated once at full size, so that no growth leaves a copy of key bytes behind.
    let size = 12 + metadata.len() + keys.iter().map(|(_, material)| 6 + material.secret().len()).sum::<usize>();
    let mut plaintext = Zeroizing::new(Vec::with_capacity(size));
    plaintext.extend(u32::try_from(metadata.len()).map_err(too_large)?.to_be_bytes());
    plaintext.extend(metadata);
    let (own, raw): (Vec<_>, Vec<_>) = keys.iter().partition(|(_, material)| material.kind() == Kind::Tokenkit);
    plaintext.extend(u32::try_from(own.len()).map_err(too_large)?.to_be_bytes());
    for (id, material) in own {
        plaintext.extend(id.to_be_bytes());
        plaintext.extend(material.secret());
    }
    if !raw.is_empty() {
        plaintext.extend(u32::try_from(raw.len()).map_err(too_large)?.to_be_bytes());
    }
    for (id, material) in raw {
        plaintext.extend(id.to_be_bytes());
        plaintext.extend([material.kind() as u8, u8::try_from(material.secret().len()).map_err(too_large)?]);
        plaintext.extend(material.secret());
    }
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce)
        .map_err(|_| Failure::new(Code::NativeDefect, "the operating system gave no random numbers"))?;
    let sealed = cipher(file_key)?
        .encrypt(&Nonce::from(nonce), Payload { msg: &plaintext, aad: header })
        .map_err(|_| Failure::new(Code::NativeDefect, "AES-GCM refused the keyring's payload"))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// Opens a payload and loads its key versions into the registry; unless it `reveals`, for tokenizing only.
pub fn open(
    file_key: &[u8; FILE_KEY_BYTES],
    header: &[u8],
    sealed: &[u8],
    reveals: bool,
) -> Result<(Vec<u8>, Vec<Handle>), OpenError> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Tampered)?;
    let plaintext = cipher(file_key)
        .map_err(OpenError::Load)?
        .decrypt(&Nonce::from(*nonce), Payload { msg: ciphertext, aad: header })
        .map(Zeroizing::new)
        .map_err(|_| OpenError::Tampered)?;
    let mut rest = plaintext.as_slice();
    let length = take_u32(&mut rest)? as usize;
    let metadata = take(&mut rest, length)?.to_vec();
    let count = take_u32(&mut rest)?;
    let mut handles = Vec::new();
    for _ in 0..count {
        let id = take_u32(&mut rest)?;
        let mut secret = Zeroizing::new([0; VERSION_BYTES]);
        secret.copy_from_slice(take(&mut rest, VERSION_BYTES)?);
        handles.push(Handle::load_for(id, &mut secret, reveals).map_err(OpenError::Load)?);
    }
    if !rest.is_empty() {
        for _ in 0..take_u32(&mut rest)? {
            let id = take_u32(&mut rest)?;
            let &[kind, length] = take(&mut rest, 2)? else { return Err(OpenError::Tampered) };
            let kind = Kind::of(kind).ok_or(OpenError::Tampered)?;
            let mut secret = Zeroizing::new(take(&mut rest, length.into())?.to_vec());
            handles.push(Handle::load_kind(id, kind, &mut secret, reveals).map_err(OpenError::Load)?);
        }
    }
    if rest.is_empty() { Ok((metadata, handles)) } else { Err(OpenError::Tampered) }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], OpenError> {
    let (head, tail) = rest.split_at_checked(count).ok_or(OpenError::Tampered)?;
    *rest = tail;
    Ok(head)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, OpenError> {
    let bytes = take(rest, 4)?;
    bytes.try_into().map(u32::from_be_bytes).map_err(|_| OpenError::Tampered)
}
