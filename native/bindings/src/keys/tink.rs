//! Tink's JSON keysets with AES-SIV and HMAC keys: written and read here, so that key bytes stay out of Python's strings.
//!
//! A keyset is a JSON object whose keys hold a protobuf message each, in base64. Two messages are known:
//! `AesSivKey { uint32 version = 1; bytes key_value = 2; }` and
//! `HmacKey { uint32 version = 1; HmacParams { HashType hash = 1; uint32 tag_size = 2; } params = 2; bytes key_value = 3; }`.

use super::kind::{Kind, MOST_BYTES};
use super::registry::{Handle, KeyMaterial, own_id};
use crate::failure::{Code, Failure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use tokenkit_algorithms::derive::Purpose;
use zeroize::{Zeroize, Zeroizing};

/// Tink's number for SHA-256.
const SHA256: u64 = 3;
const TAG_BYTES: u64 = 32;
/// The two messages' first bytes, up to the key's length; version 0 is left out, as protobuf does.
const AES_SIV_START: &[u8] = &[0x12];
const HMAC_START: &[u8] = &[0x12, 4, 0x08, SHA256 as u8, 0x10, TAG_BYTES as u8, 0x1A];
const MOST_MESSAGE: usize = HMAC_START.len() + 1 + MOST_BYTES;
const MOST_WRITTEN: usize = 512;

const SAME_IDS: &str = "keysets of one tokenkit key have its versions' ids, whatever their domain: import each into \
    a keyring of its own, and open these in processes of their own";

/// The algorithms of keysets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Deterministic AEAD; tokens carry Tink's prefix.
    AesSiv,
    /// Message authentication; tags carry no prefix.
    Hmac,
}

impl Algorithm {
    /// The algorithm of this name.
    pub fn named(name: &str) -> Option<Algorithm> {
        match name {
            "aes-siv" => Some(Algorithm::AesSiv),
            "hmac" => Some(Algorithm::Hmac),
            _ => None,
        }
    }

    fn of(type_url: &str) -> Option<Algorithm> {
        [Algorithm::AesSiv, Algorithm::Hmac].into_iter().find(|algorithm| algorithm.type_url() == type_url)
    }

    fn type_url(self) -> &'static str {
        match self {
            Algorithm::AesSiv => "type.googleapis.com/google.crypto.tink.AesSivKey",
            Algorithm::Hmac => "type.googleapis.com/google.crypto.tink.HmacKey",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Algorithm::AesSiv => "TINK",
            Algorithm::Hmac => "RAW",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Algorithm::AesSiv => Kind::RawAesSiv,
            Algorithm::Hmac => Kind::RawHmac,
        }
    }
}

/// Writes a keyset: each key by its id, and whether it is enabled.
pub fn write(
    algorithm: Algorithm,
    domain: &str,
    primary: u32,
    keys: &[(u32, Arc<KeyMaterial>, bool)],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let purpose = if algorithm == Algorithm::AesSiv { Purpose::AesSiv } else { Purpose::Hmac };
    let start = if algorithm == Algorithm::AesSiv { AES_SIV_START } else { HMAC_START };
    // Allocated once at full size, so that no growth leaves a copy of key bytes behind.
    let mut keyset = Zeroizing::new(Vec::with_capacity((keys.len() + 1) * MOST_WRITTEN));
    keyset.extend(format!("{{\"primaryKeyId\":{primary},\"key\":[").as_bytes());
    for (number, (id, material, enabled)) in keys.iter().enumerate() {
        let key = material.exported(purpose, domain)?;
        let mut message = Zeroizing::new(Vec::with_capacity(MOST_MESSAGE));
        message.extend(start);
        message.push(u8::try_from(key.len()).map_err(|_| defect())?);
        message.extend(key.iter());
        let mut written = Zeroizing::new([0; MOST_MESSAGE.div_ceil(3) * 4]);
        let length = STANDARD.encode_slice(message.as_slice(), written.as_mut()).map_err(|_| defect())?;
        let (comma, url) = (if number > 0 { "," } else { "" }, algorithm.type_url());
        keyset.extend(
            format!("{comma}{{\"keyData\":{{\"typeUrl\":\"{url}\",\"keyMaterialType\":\"SYMMETRIC\",\"value\":\"")
                .as_bytes(),
        );
        keyset.extend(&written[..length]);
        let (status, prefix) = (if *enabled { "ENABLED" } else { "DISABLED" }, algorithm.prefix());
        keyset.extend(
            format!("\"}},\"outputPrefixType\":\"{prefix}\",\"keyId\":{id},\"status\":\"{status}\"}}").as_bytes(),
        );
    }
    keyset.extend(b"]}");
    Ok(keyset)
}

fn defect() -> Failure {
    Failure::new(Code::NativeDefect, "a key is larger than any can be")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Keyset<'a> {
    primary_key_id: u32,
    #[serde(borrow)]
    key: Vec<Key<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Key<'a> {
    #[serde(borrow)]
    key_data: KeyData<'a>,
    #[serde(borrow)]
    output_prefix_type: Cow<'a, str>,
    key_id: u32,
    #[serde(borrow)]
    status: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct KeyData<'a> {
    #[serde(borrow)]
    type_url: Cow<'a, str>,
    #[serde(borrow)]
    key_material_type: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

impl Drop for KeyData<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(value) = &mut self.value {
            value.zeroize();
        }
    }
}

/// The key ids of a keyset's loaded keys, each with whether it is enabled, and the primary's.
pub struct Loaded {
    /// The primary key's id.
    pub primary: u32,
    /// The keys, loaded.
    pub keys: Vec<(Handle, bool)>,
}

/// Reads a keyset and loads its keys. What is wrong is said without a byte of it.
pub fn read(content: &[u8]) -> Result<Loaded, Failure> {
    let keyset: Keyset<'_> =
        serde_json::from_slice(content).map_err(|_| refused("the file is no JSON keyset of Tink in clear"))?;
    let mut ids = HashSet::new();
    let (mut keys, mut primary) = (Vec::new(), None);
    for key in &keyset.key {
        if key.key_id == 0 || !ids.insert(key.key_id) {
            return Err(refused("a key of the keyset has no id, or that of another"));
        }
        let enabled = match key.status.as_ref() {
            "ENABLED" => true,
            "DISABLED" => false,
            "DESTROYED" => continue,
            _ => return Err(refused("a key of the keyset has no known status")),
        };
        let algorithm = Algorithm::of(&key.key_data.type_url).filter(|_| key.key_data.key_material_type == "SYMMETRIC");
        let Some(algorithm) = algorithm else {
            return Err(refused("a key of the keyset is neither an AES-SIV nor an HMAC key"));
        };
        // A sealed token has Tink's prefix; LEGACY changes what an HMAC is computed of.
        if key.output_prefix_type != algorithm.prefix() {
            return Err(refused(match algorithm {
                Algorithm::AesSiv => "an AES-SIV key of the keyset has another output prefix than TINK",
                Algorithm::Hmac => "an HMAC key of the keyset has another output prefix than RAW",
            }));
        }
        let message = STANDARD.decode(key.key_data.value.as_bytes()).map(Zeroizing::new);
        let message = message.map_err(|_| refused("a key of the keyset is no base64"))?;
        let mut secret = Zeroizing::new(secret(algorithm, &message)?.to_vec());
        // Tokens name AES-SIV keys by their ids. Tags have no prefix, and name none: an id of the key's own lets the
        // keysets of several domains, which share their ids, be loaded side by side.
        let id = match algorithm {
            Algorithm::AesSiv => key.key_id,
            Algorithm::Hmac => own_id(algorithm.kind(), &secret),
        };
        if key.key_id == keyset.primary_key_id {
            primary = Some((id, enabled));
        }
        if keys.iter().any(|(handle, _): &(Handle, bool)| handle.id() == id) {
            return Err(refused("two keys of the keyset are the same"));
        }
        let handle = Handle::load_kind(id, algorithm.kind(), &mut secret, true)
            .map_err(|failure| failure.with_hint(SAME_IDS))?;
        keys.push((handle, enabled));
    }
    match primary {
        None => Err(refused("the keyset's primary key is not among its keys")),
        Some((_, false)) => Err(refused("the keyset's primary key is disabled, and would make no tokens")),
        Some((primary, true)) => Ok(Loaded { primary, keys }),
    }
}

fn refused(message: &str) -> Failure {
    Failure::new(Code::InvalidKey, message).with_hint(
        "tinkey create-keyset --key-template AES256_SIV or HMAC_SHA256_256TAG_RAW --out-format json makes one",
    )
}

/// A field of a protobuf message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn secret(algorithm: Algorithm, message: &[u8]) -> Result<&[u8], Failure> {
    let found = match algorithm {
        Algorithm::AesSiv => aes_siv(message),
        Algorithm::Hmac => hmac(message),
    };
    found.filter(|secret| algorithm.kind().takes(secret.len())).ok_or_else(|| {
        refused(match algorithm {
            Algorithm::AesSiv => "an AES-SIV key of the keyset is damaged, or has no 64 bytes",
            Algorithm::Hmac => {
                "an HMAC key of the keyset is damaged, or isn't HMAC-SHA-256 with whole tags of 32 bytes"
            }
        })
    })
}

fn aes_siv(message: &[u8]) -> Option<&[u8]> {
    let mut secret = None;
    for (number, field) in fields(message)? {
        match (number, field) {
            (1, Field::Number(0)) => {}
            (2, Field::Bytes(bytes)) if secret.is_none() => secret = Some(bytes),
            _ => return None,
        }
    }
    secret
}

fn hmac(message: &[u8]) -> Option<&[u8]> {
    let (mut secret, mut parameters) = (None, None);
    for (number, field) in fields(message)? {
        match (number, field) {
            (1, Field::Number(0)) => {}
            (2, Field::Bytes(bytes)) if parameters.is_none() => parameters = Some(bytes),
            (3, Field::Bytes(bytes)) if secret.is_none() => secret = Some(bytes),
            _ => return None,
        }
    }
    let (mut hash, mut tag) = (0, 0);
    for (number, field) in fields(parameters?)? {
        match (number, field) {
            (1, Field::Number(given)) => hash = given,
            (2, Field::Number(given)) => tag = given,
            _ => return None,
        }
    }
    if (hash, tag) == (SHA256, TAG_BYTES) { secret } else { None }
}

fn fields(mut rest: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut rest)?),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (bytes, tail) = rest.split_at_checked(length)?;
                rest = tail;
                Field::Bytes(bytes)
            }
            _ => return None,
        };
        found.push((tag >> 3, field));
    }
    Some(found)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}
