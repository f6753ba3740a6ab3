//! Rows split over threads, for whole columns; streaming engines hand over small batches and thread themselves.

use crate::failure::{Code, Failure};
use std::ops::Range;
use std::sync::LazyLock;

/// Columns shorter than this aren't worth a thread. Polars' streaming batches stay below it.
const SMALLEST_SPLIT: usize = 1 << 18;

/// The most threads for one column: as many as the process may use, or fewer if `TOKENKIT_THREADS`
/// says so.
pub fn most() -> usize {
    static MOST: LazyLock<usize> = LazyLock::new(|| {
        let asked =
            std::env::var("TOKENKIT_THREADS").ok().and_then(|text| text.parse().ok()).filter(|&count| count > 0);
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        asked.map_or(available, |asked: usize| asked.min(available))
    });
    *MOST
}

/// The row ranges that threads take.
pub fn parts(rows: usize, threads: usize) -> Vec<Range<usize>> {
    let count = if rows < SMALLEST_SPLIT { 1 } else { threads.max(1) };
    let size = rows.div_ceil(count).max(1);
    let mut ranges: Vec<_> = (0..rows).step_by(size).map(|start| start..(start + size).min(rows)).collect();
    if ranges.is_empty() {
        ranges.push(0..0);
    }
    ranges
}

/// A slice in consecutive parts of the given sizes.
pub fn split<T>(mut rest: &mut [T], sizes: impl Iterator<Item = usize>) -> Vec<&mut [T]> {
    let mut parts = Vec::new();
    for size in sizes {
        let (part, others) = rest.split_at_mut(size);
        parts.push(part);
        rest = others;
    }
    parts
}

/// Runs a task for each part: the first on this thread, the others on threads of their own.
pub fn run<P: Send, R: Send>(parts: Vec<P>, task: impl Fn(P) -> Result<R, Failure> + Sync) -> Result<Vec<R>, Failure> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Ok(Vec::new()) };
    std::thread::scope(|scope| {
        let task = &task;
        let others: Vec<_> = parts.map(|part| scope.spawn(move || task(part))).collect();
        let mut results = vec![task(first)];
        results.extend(others.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(Failure::new(Code::NativeDefect, "a worker thread panicked")))
        }));
        results.into_iter().collect()
    })
}
