//! Counters of the rows that go through a query, which also end it.
//!
//! Polars tells nothing of a running query and can't be stopped. So a plan carries one expression that names a counter
//! by its number in this process; a callback into Python would wait for its lock once a morsel.

use crate::failure::{Code, Failure};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// A counter in use.
#[derive(Default)]
pub struct Counter {
    rows: AtomicU64,
    cancelled: AtomicBool,
}

impl Counter {
    /// Adds rows; fails if the query is to end.
    pub fn add(&self, rows: u64) -> Result<(), Failure> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(ended());
        }
        self.rows.fetch_add(rows, Ordering::Relaxed);
        Ok(())
    }

    /// The rows so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Ends the query at its next morsel.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

static COUNTERS: LazyLock<Mutex<HashMap<u64, Arc<Counter>>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A poisoned lock only means that another thread panicked between two whole updates.
fn lock() -> MutexGuard<'static, HashMap<u64, Arc<Counter>>> {
    COUNTERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ended() -> Failure {
    Failure::new(Code::Specification, "the job that a plan counts rows for has ended")
}

/// Begins a counter; gives its number too.
pub fn begin() -> (u64, Arc<Counter>) {
    let (id, counter) = (NEXT.fetch_add(1, Ordering::Relaxed), Arc::new(Counter::default()));
    lock().insert(id, counter.clone());
    (id, counter)
}

/// The counter of a number.
pub fn find(id: u64) -> Result<Arc<Counter>, Failure> {
    lock().get(&id).cloned().ok_or_else(ended)
}

/// Ends a counter.
pub fn end(id: u64) {
    lock().remove(&id);
}
