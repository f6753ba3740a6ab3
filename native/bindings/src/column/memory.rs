//! Output buffers. A first touch of fresh memory costs as much as the encryption of the token that goes there, so
//! buffers are kept for the next column when Arrow lets go of them, and large ones are made of huge pages.
//!
//! A buffer may therefore hold what an earlier column left there. Whoever writes one writes or clears every byte that
//! gets into an array; see [`super::sink::Sink`].

use arrow_buffer::Buffer;
#[cfg(target_os = "linux")]
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(target_os = "linux")]
const HUGE_PAGE: usize = 2 << 20;
#[cfg(target_os = "linux")]
const SMALLEST_HUGE: usize = 1 << 20;
/// What the sizes of smaller mappings are multiples of, so that one fits the next batch of a stream too.
#[cfg(target_os = "linux")]
const STEP: usize = 128 << 10;
/// The most memory in huge pages that is kept while no column uses it.
#[cfg(target_os = "linux")]
const MOST_KEPT: usize = 128 << 20;
/// The same of smaller mappings: a stream takes back at once what it has let go of, and its memory has to stay flat.
#[cfg(target_os = "linux")]
const MOST_KEPT_SMALL: usize = 16 << 20;

/// Bytes of a fixed size that become an Arrow buffer; initialised, but with anything.
pub struct Bytes {
    start: NonNull<u8>,
    size: usize,
    owner: Owner,
}

enum Owner {
    Heap(Vec<u128>),
    #[cfg(target_os = "linux")]
    Pages(Lent),
}

// SAFETY: the memory is owned by `owner` alone and reachable through `&mut self` only, until it is handed to a Buffer.
unsafe impl Send for Bytes {}

impl Bytes {
    /// Memory, aligned for any Arrow type.
    pub fn obtain(size: usize) -> Bytes {
        #[cfg(target_os = "linux")]
        if size >= STEP
            && let Some(pages) = obtain_pages(size)
        {
            return Bytes { start: pages.start, size, owner: Owner::Pages(Lent(Some(pages))) };
        }
        let mut words = vec![0_u128; size.div_ceil(16)];
        let start = NonNull::from(words.as_mut_slice()).cast();
        Bytes { start, size, owner: Owner::Heap(words) }
    }

    /// The bytes, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: `start` points at `size` initialised bytes that `owner` keeps, borrowed as long as self is.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.size) }
    }

    /// Hands the first `used` bytes to Arrow.
    pub fn into_buffer(self, used: usize) -> Buffer {
        let used = used.min(self.size);
        match self.owner {
            Owner::Heap(words) => Buffer::from_vec(words).slice_with_length(0, used),
            #[cfg(target_os = "linux")]
            // SAFETY: the mapping holds at least `used` bytes from `start` and lives until the buffer drops it.
            Owner::Pages(lent) => unsafe { Buffer::from_custom_allocation(self.start, used, Arc::new(lent)) },
        }
    }
}

#[cfg(target_os = "linux")]
fn obtain_pages(size: usize) -> Option<Pages> {
    let length = size.checked_next_multiple_of(if size < SMALLEST_HUGE { STEP } else { HUGE_PAGE })?;
    let kept = lock_kept(length).take(length);
    kept.or_else(|| Pages::map(length))
}

/// Pages in use; they are kept for another column when the last user drops them.
#[cfg(target_os = "linux")]
struct Lent(Option<Pages>);

#[cfg(target_os = "linux")]
impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(pages) = self.0.take() {
            lock_kept(pages.length).keep(pages);
        }
    }
}

/// Pages that wait for the next column, the one that has waited longest first.
#[cfg(target_os = "linux")]
struct Kept {
    waiting: VecDeque<Pages>,
    total: usize,
    most: usize,
}

#[cfg(target_os = "linux")]
impl Kept {
    const fn new(most: usize) -> Kept {
        Kept { waiting: VecDeque::new(), total: 0, most }
    }

    fn take(&mut self, length: usize) -> Option<Pages> {
        let place = self.waiting.iter().rposition(|pages| pages.length == length)?;
        self.total -= length;
        self.waiting.remove(place)
    }

    fn keep(&mut self, pages: Pages) {
        self.total += pages.length;
        self.waiting.push_back(pages);
        while self.total > self.most
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.total -= oldest.length;
        }
    }
}

#[cfg(target_os = "linux")]
static KEPT: Mutex<Kept> = Mutex::new(Kept::new(MOST_KEPT));
#[cfg(target_os = "linux")]
static KEPT_SMALL: Mutex<Kept> = Mutex::new(Kept::new(MOST_KEPT_SMALL));

/// No panic can come between two changes that belong together, so a poisoned lock still guards a sound list.
#[cfg(target_os = "linux")]
fn lock_kept(length: usize) -> MutexGuard<'static, Kept> {
    let kept = if length < HUGE_PAGE { &KEPT_SMALL } else { &KEPT };
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An anonymous mapping, aligned to huge pages if it has any; unmapped when it is dropped.
#[cfg(target_os = "linux")]
struct Pages {
    base: NonNull<u8>,
    mapped: usize,
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: a mapping is plain memory without thread affinity; it is only unmapped, once, on drop.
#[cfg(target_os = "linux")]
unsafe impl Send for Pages {}
// SAFETY: as above; nothing is mutated through a shared reference.
#[cfg(target_os = "linux")]
unsafe impl Sync for Pages {}
#[cfg(target_os = "linux")]
impl std::panic::RefUnwindSafe for Pages {}

#[cfg(target_os = "linux")]
impl Pages {
    fn map(length: usize) -> Option<Pages> {
        let huge = length >= HUGE_PAGE;
        let mapped = if huge { length.checked_add(HUGE_PAGE)? } else { length };
        // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no existing memory.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return None;
        }
        let base = NonNull::new(base.cast::<u8>())?;
        let skip = if huge { base.as_ptr().align_offset(HUGE_PAGE).min(HUGE_PAGE) } else { 0 };
        // SAFETY: skip + length <= mapped, so the pointer stays inside the mapping.
        let start = unsafe { base.add(skip) };
        if huge {
            // SAFETY: advice on a range of our own mapping; a refusal only costs speed, so the result is ignored.
            unsafe { libc::madvise(start.as_ptr().cast(), length, libc::MADV_HUGEPAGE) };
        }
        // SAFETY: as above; values belong in no core dump.
        unsafe { libc::madvise(start.as_ptr().cast(), length, libc::MADV_DONTDUMP) };
        Some(Pages { base, mapped, start, length })
    }
}

#[cfg(target_os = "linux")]
impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: base and mapped are what mmap returned and was asked for; nothing refers to the memory any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.mapped) };
    }
}
