//! The chain of the audit log (token contract, "Audit chain").
//!
//! Records are chained within a batch, each by an HMAC over the one before it and its own fields; batches are chained
//! by a link over the link before and everything that the batch's row says. The key is a subkey that no database ever
//! sees, so that who owns the database can take the chain apart, but can't put it together again.

mod verifier;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::derive::hmac_sha256;
use crate::locked::Locked;
use crate::scrub::scrubbed;

pub use self::verifier::{BatchRow, Counts, Expected, Fault, FaultKind, RecordRow, Retained, Verifier};

/// Bytes of a record's hash, and of a link.
pub const HASH_BYTES: usize = 32;
/// Bytes of a batch's id.
pub const ID_BYTES: usize = 16;
/// Bytes of a key-check value.
pub const CHECK_VALUE_BYTES: usize = 16;
/// The link before the first batch.
pub const FIRST_LINK: Hash = [0; HASH_BYTES];

/// A record's hash, or a link.
pub type Hash = [u8; HASH_BYTES];

/// What an HMAC is over: no message of one kind is one of the other.
const RECORD: u8 = 1;
const LINK: u8 = 2;
/// Stands for the length of what is null.
const NULL: u32 = u32::MAX;

/// A record, field by field in the order in which it is hashed. Texts are UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// Microseconds since 1970, UTC.
    pub at: i64,
    /// Who.
    pub actor: &'a [u8],
    /// What.
    pub action: &'a [u8],
    /// How it ended.
    pub outcome: &'a [u8],
    /// What it was done to.
    pub object: Option<&'a [u8]>,
    /// The run.
    pub run: Option<&'a [u8]>,
    /// A key's name.
    pub key: Option<&'a [u8]>,
    /// The id of its version.
    pub key_id: Option<i64>,
    /// How many values.
    pub count: Option<i64>,
    /// A stable code.
    pub reason: Option<&'a [u8]>,
    /// The keyed hash of a token.
    pub token_hash: Option<&'a [u8]>,
    /// Further facts.
    pub detail: Option<&'a [u8]>,
}

/// What a batch's row says, but for the link itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// 1 for the first batch, then 2, ...
    pub number: i64,
    /// Sixteen random bytes, with which the batch's hashes begin.
    pub id: [u8; ID_BYTES],
    /// When it was written, in microseconds since 1970.
    pub written: i64,
    /// The earliest time of its records.
    pub first_at: i64,
    /// The latest.
    pub last_at: i64,
    /// How many records it has.
    pub count: i64,
    /// The last record's hash.
    pub last_hash: Hash,
    /// The name of the key under which it is chained.
    pub key: Vec<u8>,
    /// The id of that key's version.
    pub key_id: i64,
    /// Its key-check value.
    pub check_value: [u8; CHECK_VALUE_BYTES],
}

/// The hash before a batch's first record.
#[must_use]
pub fn first_head(id: &[u8; ID_BYTES]) -> Hash {
    let mut head = [0; HASH_BYTES];
    head[..ID_BYTES].copy_from_slice(id);
    head
}

/// A key of the chain: HMAC-SHA-256 with its two inner states ready, in locked memory.
pub struct ChainKey {
    mac: Locked<Hmac<Sha256>>,
}

impl ChainKey {
    /// Expands a subkey, then overwrites what that left on the stack.
    #[must_use]
    pub fn new(subkey: &[u8; 32]) -> ChainKey {
        scrubbed(|| ChainKey {
            mac: Locked::new(Hmac::new_from_slice(subkey).expect("HMAC takes a key of any length")),
        })
    }

    /// The hash of the record that follows the one whose hash is `head`.
    ///
    /// The key's states pass over the stack: call it in [`scrubbed`], for many records at once. `scratch` is memory for the
    /// message, to be used again.
    #[must_use]
    pub fn record(&self, head: &Hash, record: &Record<'_>, scratch: &mut Vec<u8>) -> Hash {
        scratch.clear();
        scratch.push(RECORD);
        scratch.extend(head);
        number(scratch, Some(record.at));
        for text in [record.actor, record.action, record.outcome] {
            bytes(scratch, Some(text));
        }
        for text in [record.object, record.run, record.key] {
            bytes(scratch, text);
        }
        number(scratch, record.key_id);
        number(scratch, record.count);
        for text in [record.reason, record.token_hash, record.detail] {
            bytes(scratch, text);
        }
        self.authenticate(scratch)
    }

    /// The link of a batch, which holds it in its place behind the one whose link is `previous`.
    #[must_use]
    pub fn link(&self, previous: &Hash, batch: &Batch) -> Hash {
        let mut message = vec![LINK];
        message.extend(previous);
        message.extend(batch.number.to_be_bytes());
        message.extend(batch.id);
        for moment in [batch.written, batch.first_at, batch.last_at] {
            message.extend(moment.to_be_bytes());
        }
        bytes(&mut message, Some(&batch.key));
        message.extend(batch.key_id.to_be_bytes());
        message.extend(batch.check_value);
        message.extend(batch.count.to_be_bytes());
        message.extend(batch.last_hash);
        scrubbed(|| self.authenticate(&message))
    }

    fn authenticate(&self, message: &[u8]) -> Hash {
        let mut mac = Hmac::clone(&self.mac);
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

/// The keyed hash by which a record names a token, under the "audit token hash" subkey of the token's domain.
#[must_use]
pub fn token_hash(subkey: &[u8; 32], token: &[u8]) -> Hash {
    scrubbed(|| hmac_sha256(subkey, token))
}

fn bytes(message: &mut Vec<u8>, field: Option<&[u8]>) {
    // Whoever makes records takes none with fields of 4 GiB; one that is that long has no hash that anybody gave it.
    let length = field.map_or(NULL, |field| u32::try_from(field.len()).unwrap_or(NULL - 1));
    message.extend(length.to_be_bytes());
    message.extend(field.unwrap_or_default());
}

fn number(message: &mut Vec<u8>, field: Option<i64>) {
    bytes(message, field.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
}
