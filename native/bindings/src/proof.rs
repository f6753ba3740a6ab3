//! Proofs of rekeyed columns: one sum over the old tokens' values, one over the new ones', and what compares them.
//!
//! Plans name a proof by its number in this process, and add what they find to it. A value that went missing, or was
//! added twice, makes the two sums differ; so does a plan that was run twice.

use crate::failure::{Code, Failure};
use crate::keys::registry::KeyMaterial;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use tokenkit_algorithms::derive::is_valid_domain;
use tokenkit_algorithms::proof::{ProofKey, Sum};
use tokenkit_algorithms::scrub::scrubbed;

/// Bytes in a run's id.
const RUN_BYTES: usize = 16;

/// Which tokens' values are added.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The old tokens'.
    Old,
    /// The new tokens'.
    New,
}

/// What a proof is about: its key is good for nothing else.
pub struct About<'a> {
    /// The key's domain.
    pub domain: &'a str,
    /// The run's id.
    pub run: &'a [u8],
    /// The file.
    pub file: &'a str,
    /// The column.
    pub column: &'a str,
}

/// A proof whose sums are being taken.
pub struct Proof {
    /// The key.
    pub key: ProofKey,
    old: Mutex<Sum>,
    new: Mutex<Sum>,
}

impl Proof {
    /// The sum of a side.
    pub fn sum(&self, side: Side) -> &Mutex<Sum> {
        match side {
            Side::Old => &self.old,
            Side::New => &self.new,
        }
    }

    /// The sum of a side so far.
    pub fn found(&self, side: Side) -> Sum {
        *lock(self.sum(side))
    }
}

static PROOFS: LazyLock<Mutex<HashMap<u64, Arc<Proof>>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A poisoned lock only means that another thread panicked between two whole updates.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins a proof, under a key of the new version.
pub fn begin(key: &KeyMaterial, about: &About<'_>) -> Result<u64, Failure> {
    if about.run.len() != RUN_BYTES || !is_valid_domain(about.domain) {
        return Err(Failure::new(Code::Specification, "a proof is about a run, a domain, a file and a column"));
    }
    let mut info = about.run.to_vec();
    for text in [about.file, about.column] {
        let length = u32::try_from(text.len())
            .map_err(|_| Failure::new(Code::UnsupportedType, "a file's or column's name is longer than 4 GiB"))?;
        info.extend(length.to_be_bytes());
        info.extend(text.as_bytes());
    }
    let key = scrubbed(|| ProofKey::new(&key.proof_key(about.domain, &info)))
        .map_err(|_| Failure::new(Code::NativeDefect, "a proof's key has the wrong length"))?;
    let proof = Proof { key, old: Mutex::default(), new: Mutex::default() };
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    lock(&PROOFS).insert(id, Arc::new(proof));
    Ok(id)
}

/// The proof of a number.
pub fn find(id: u64) -> Result<Arc<Proof>, Failure> {
    let found = lock(&PROOFS).get(&id).cloned();
    found.ok_or_else(|| Failure::new(Code::Specification, "the proof that a plan adds to has ended"))
}

/// Ends a proof; its key is overwritten when no plan uses it any more.
pub fn end(id: u64) {
    lock(&PROOFS).remove(&id);
}
