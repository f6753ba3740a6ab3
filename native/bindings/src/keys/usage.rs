//! How much each key version was used in this process: numbers of values and a time, nothing else.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokenkit_algorithms::ff1::Direction;

/// The counts of one key version. They stay after the key is released.
#[derive(Default)]
pub struct Usage {
    tokenized: AtomicU64,
    detokenized: AtomicU64,
    last_used: AtomicU64,
}

/// What was counted for a key version, by its id and key-check value.
pub struct Counted {
    /// The version's id.
    pub id: u32,
    /// The version's key-check value.
    pub check_value: [u8; 16],
    /// Values that were tokenized.
    pub tokenized: u64,
    /// Values that were detokenized.
    pub detokenized: u64,
    /// When it was last used, in seconds since 1970.
    pub last_used: u64,
}

/// By id and key-check value.
type Usages = BTreeMap<(u32, [u8; 16]), Arc<Usage>>;

static USAGES: Mutex<Usages> = Mutex::new(BTreeMap::new());

/// The counts of a key version.
pub fn of(id: u32, check_value: [u8; 16]) -> Arc<Usage> {
    let mut usages = USAGES.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(usages.entry((id, check_value)).or_default())
}

/// What was counted so far for every key version that was used.
pub fn counted() -> Vec<Counted> {
    let usages = USAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let used = |((id, check_value), usage): (&(u32, [u8; 16]), &Arc<Usage>)| Counted {
        id: *id,
        check_value: *check_value,
        tokenized: usage.tokenized.load(Ordering::Relaxed),
        detokenized: usage.detokenized.load(Ordering::Relaxed),
        last_used: usage.last_used.load(Ordering::Relaxed),
    };
    usages.iter().map(used).filter(|counted| counted.last_used > 0).collect()
}

impl Usage {
    /// Counts values of one call.
    pub fn count(&self, direction: Direction, values: usize) {
        if values == 0 {
            return;
        }
        let counter = match direction {
            Direction::Encrypt => &self.tokenized,
            Direction::Decrypt => &self.detokenized,
        };
        counter.fetch_add(values as u64, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
        self.last_used.fetch_max(now, Ordering::Relaxed);
    }
}
