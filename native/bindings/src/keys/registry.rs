//! The process's key registry: the only place where the bytes of a key version live.
//!
//! Plans, expressions and Python objects hold a [`KeyReference`] (an id and a key-check value), never bytes. A [`Handle`]
//! keeps its version in the registry; when the last handle of a version goes, its bytes and every subkey derived from
//! it are overwritten.

use super::kind::{Kind, MOST_BYTES};
use crate::failure::{Code, Failure};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use tokenkit_algorithms::aes::AesKey;
use tokenkit_algorithms::audit_chain::{ChainKey, token_hash};
use tokenkit_algorithms::derive::{Purpose, expand, hmac_sha256, raw_subkey, subkey};
use tokenkit_algorithms::locked::Locked;
use tokenkit_algorithms::proof::KEY_BYTES as PROOF_KEY_BYTES;
use tokenkit_algorithms::scrub::scrubbed;
use tokenkit_algorithms::siv::Siv;
use zeroize::{Zeroize, Zeroizing};

/// Bytes in a key version of tokenkit's own kind.
pub const VERSION_BYTES: usize = 32;

/// What names a key version in a plan: enough to find it and to know that it is the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReference {
    /// The key's name in its keyring, for messages only.
    pub name: String,
    /// The version's number in its key, for messages only.
    pub version: u32,
    /// The version's id, unique in its keyring.
    pub id: u32,
    /// The version's key-check value.
    pub check_value: [u8; 16],
}

/// A subkey, expanded and ready for use.
pub enum Subkey {
    /// For FF1.
    Ff1(AesKey),
    /// For AES-SIV.
    AesSiv(Siv),
}

/// A key version's bytes and what was derived from them.
pub struct KeyMaterial {
    kind: Kind,
    length: usize,
    secret: Locked<Zeroizing<[u8; MOST_BYTES]>>,
    subkeys: Mutex<HashMap<(u8, String), Arc<Subkey>>>,
}

impl KeyMaterial {
    fn derived<const N: usize>(&self, purpose: Purpose, domain: &str) -> Zeroizing<[u8; N]> {
        let mut bytes = Zeroizing::new([0; N]);
        derive(self.kind, self.secret(), purpose, domain, bytes.as_mut());
        bytes
    }

    /// What kind of key it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The key of an algorithm that others implement, too; a raw key is the key of its algorithm itself.
    pub(super) fn exported(&self, purpose: Purpose, domain: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match (self.kind, purpose) {
            (Kind::Tokenkit, Purpose::AesSiv) => Ok(Zeroizing::new(self.derived::<64>(purpose, domain).to_vec())),
            (Kind::Tokenkit, _) => Ok(Zeroizing::new(self.derived::<32>(purpose, domain).to_vec())),
            (Kind::RawAesSiv, Purpose::AesSiv) | (Kind::RawHmac, Purpose::Hmac) => {
                Ok(Zeroizing::new(self.secret().to_vec()))
            }
            _ => Err(self.kind.refusal()),
        }
    }

    /// The FF1 or AES-SIV subkey of a domain; derived once, then kept for as long as the key version is.
    pub fn subkey(&self, purpose: Purpose, domain: &str) -> Result<Arc<Subkey>, Failure> {
        let mut subkeys = lock(&self.subkeys);
        if let Some(found) = subkeys.get(&(purpose as u8, domain.to_owned())) {
            return Ok(Arc::clone(found));
        }
        let made = Arc::new(scrubbed(|| self.expanded(purpose, domain))?);
        subkeys.insert((purpose as u8, domain.to_owned()), Arc::clone(&made));
        Ok(made)
    }

    fn expanded(&self, purpose: Purpose, domain: &str) -> Result<Subkey, Failure> {
        let made = match (self.kind, purpose) {
            (Kind::RawAesSiv, Purpose::AesSiv) => Siv::new(self.secret()).map(Subkey::AesSiv),
            (Kind::RawAesSiv | Kind::RawHmac, _) => return Err(self.kind.refusal()),
            (_, Purpose::Ff1) => AesKey::new(self.derived::<32>(purpose, domain).as_ref()).map(Subkey::Ff1),
            (_, Purpose::AesSiv) => Siv::new(self.derived::<64>(purpose, domain).as_ref()).map(Subkey::AesSiv),
            _ => return Err(Failure::new(Code::NativeDefect, "no column algorithm has this purpose")),
        };
        made.map_err(|_| Failure::new(Code::NativeDefect, "a derived subkey has the wrong length"))
    }

    /// HMAC-SHA-256 over `message` under the "metadata MAC" subkey.
    pub fn metadata_mac(&self, message: &[u8]) -> [u8; 32] {
        scrubbed(|| hmac_sha256(self.derived::<32>(Purpose::MetadataMac, "").as_ref(), message))
    }

    /// A run's key for rejected rows: derived from the "rejects" subkey of a domain by the run's id. The caller scrubs.
    pub fn rejects_key(&self, domain: &str, run: &[u8; 16]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        expand(self.derived::<32>(Purpose::Rejects, domain).as_ref(), &[run], key.as_mut());
        key
    }

    /// The key of a rekey's proof: derived from the "rekey proof" subkey of a domain by what the proof is about.
    /// The caller scrubs.
    pub fn proof_key(&self, domain: &str, about: &[u8]) -> Zeroizing<[u8; PROOF_KEY_BYTES]> {
        let mut key = Zeroizing::new([0; PROOF_KEY_BYTES]);
        expand(self.derived::<32>(Purpose::RekeyProof, domain).as_ref(), &[about], key.as_mut());
        key
    }

    /// The key of the audit log's chain.
    pub fn chain_key(&self) -> ChainKey {
        scrubbed(|| ChainKey::new(&self.derived::<32>(Purpose::AuditChain, "")))
    }

    /// The keyed hash by which the audit log names a token of a domain.
    pub fn token_hash(&self, domain: &str, token: &[u8]) -> [u8; 32] {
        scrubbed(|| token_hash(&self.derived::<32>(Purpose::AuditTokenHash, domain), token))
    }

    /// The version's bytes, for sealing a keyring.
    pub(super) fn secret(&self) -> &[u8] {
        &self.secret[..self.length]
    }
}

fn derive(kind: Kind, secret: &[u8], purpose: Purpose, domain: &str, out: &mut [u8]) {
    match kind {
        Kind::Tokenkit => subkey(secret, purpose, domain, out),
        Kind::RawAesSiv | Kind::RawHmac => raw_subkey(secret, kind.name(), purpose, domain, out),
    }
}

/// An id that the key itself gives: the first four bytes of its key-check value, or 1 should they be zero. The caller
/// scrubs.
pub fn own_id(kind: Kind, secret: &[u8]) -> u32 {
    let mut check_value = [0; 16];
    derive(kind, secret, Purpose::KeyCheck, "", &mut check_value);
    let [a, b, c, d, ..] = check_value;
    u32::from_be_bytes([a, b, c, d]).max(1)
}

struct Entry {
    material: Arc<KeyMaterial>,
    check_value: [u8; 16],
    handles: usize,
    /// How many of the handles let tokens be turned back.
    revealing: usize,
}

static REGISTRY: LazyLock<Mutex<HashMap<u32, Entry>>> = LazyLock::new(Mutex::default);

/// A poisoned lock only means that another thread panicked between two whole updates: the map itself is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps one key version in the registry for as long as it lives.
pub struct Handle {
    id: u32,
    check_value: [u8; 16],
    kind: Kind,
    reveals: bool,
}

impl Handle {
    /// Loads a version; the bytes given are overwritten. Another key under the same id is refused.
    pub fn load(id: u32, secret: &mut [u8; VERSION_BYTES]) -> Result<Handle, Failure> {
        Self::load_for(id, secret, true)
    }

    /// As [`Handle::load`]; unless the handle `reveals`, it lets no tokens be turned back.
    pub fn load_for(id: u32, secret: &mut [u8; VERSION_BYTES], reveals: bool) -> Result<Handle, Failure> {
        Self::load_kind(id, Kind::Tokenkit, secret, reveals)
    }

    /// As [`Handle::load_for`], for a key of any kind.
    pub fn load_kind(id: u32, kind: Kind, secret: &mut [u8], reveals: bool) -> Result<Handle, Failure> {
        scrubbed(|| {
            let loaded = Self::load_copy(id, kind, secret, reveals);
            secret.zeroize();
            loaded
        })
    }

    fn load_copy(id: u32, kind: Kind, secret: &[u8], reveals: bool) -> Result<Handle, Failure> {
        if !kind.takes(secret.len()) {
            return Err(Failure::new(Code::InvalidKey, "a key of this kind has another number of bytes"));
        }
        if id == 0 {
            return Err(Failure::new(Code::KeyConflict, "a key version's id is a nonzero 32-bit number"));
        }
        let mut check_value = [0; 16];
        derive(kind, secret, Purpose::KeyCheck, "", &mut check_value);
        let mut registry = lock(&REGISTRY);
        match registry.get_mut(&id) {
            Some(entry) if entry.check_value == check_value => {
                entry.handles += 1;
                entry.revealing += usize::from(reveals);
            }
            Some(_) => {
                return Err(Failure::new(
                    Code::KeyConflict,
                    format!("another key is already loaded under the id {id} in this process"),
                )
                .with_hint("close the other keyring first, or rotate one of the two keys"));
            }
            None => {
                let mut boxed = Locked::new(Zeroizing::new([0; MOST_BYTES]));
                boxed[..secret.len()].copy_from_slice(secret);
                let material = KeyMaterial { kind, length: secret.len(), secret: boxed, subkeys: Mutex::default() };
                let (material, revealing) = (Arc::new(material), usize::from(reveals));
                registry.insert(id, Entry { material, check_value, handles: 1, revealing });
            }
        }
        Ok(Handle { id, check_value, kind, reveals })
    }

    /// Makes a new version from the operating system's random numbers.
    pub fn generate(id: u32) -> Result<Handle, Failure> {
        scrubbed(|| {
            let mut secret = Zeroizing::new([0; VERSION_BYTES]);
            getrandom::fill(secret.as_mut())
                .map_err(|_| Failure::new(Code::NativeDefect, "the operating system gave no random numbers"))?;
            Handle::load(id, &mut secret)
        })
    }

    /// The version's id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The version's key-check value.
    pub fn check_value(&self) -> [u8; 16] {
        self.check_value
    }

    /// What kind of key it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether this handle lets tokens be turned back.
    pub fn reveals(&self) -> bool {
        self.reveals
    }

    /// The version's material.
    pub fn material(&self) -> Result<Arc<KeyMaterial>, Failure> {
        find(self.id, &self.check_value)
            .ok_or_else(|| Failure::new(Code::NativeDefect, "a live handle's key is not in the registry"))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut registry = lock(&REGISTRY);
        if let Some(entry) = registry.get_mut(&self.id) {
            entry.handles -= 1;
            entry.revealing -= usize::from(self.reveals);
            if entry.handles == 0 {
                registry.remove(&self.id);
            }
        }
    }
}

/// The material of a loaded version, if the id is loaded and is the key that the check value names.
pub fn find(id: u32, check_value: &[u8; 16]) -> Option<Arc<KeyMaterial>> {
    let registry = lock(&REGISTRY);
    let entry = registry.get(&id)?;
    (entry.check_value == *check_value).then(|| Arc::clone(&entry.material))
}

/// The key version that a plan names, or an error that says which key is missing and how to load it.
pub fn material(reference: &KeyReference) -> Result<Arc<KeyMaterial>, Failure> {
    find(reference.id, &reference.check_value).ok_or_else(|| {
        Failure::new(
            Code::KeyNotLoaded,
            format!(
                "key {} version {} (id {}) is not loaded in this process",
                serde_json::Value::from(reference.name.as_str()),
                reference.version,
                reference.id
            ),
        )
        .with_hint(
            "keep the keyring open until the plan has run: with tokenkit.open_keyring(PATH) as keyring: ..., \
             or tokenkit.use_keyring(PATH), or TOKENKIT_KEYRING and TOKENKIT_KEK in the environment",
        )
    })
}

/// Refuses to turn tokens back with a version that every keyring of this process opened for tokenizing only.
pub fn require_revealing(reference: &KeyReference) -> Result<(), Failure> {
    material(reference)?;
    match lock(&REGISTRY).get(&reference.id) {
        Some(entry) if entry.revealing == 0 => Err(Failure::new(
            Code::AccessDenied,
            format!(
                "key {} version {} (id {}) was opened for tokenizing only",
                serde_json::Value::from(reference.name.as_str()),
                reference.version,
                reference.id
            ),
        )
        .with_hint("open the keyring with access=\"all\" where tokens may be turned back")),
        _ => Ok(()),
    }
}

/// The subkey that a plan needs.
pub fn resolve(reference: &KeyReference, purpose: Purpose, domain: &str) -> Result<Arc<Subkey>, Failure> {
    material(reference)?.subkey(purpose, domain)
}
