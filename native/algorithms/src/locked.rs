//! Memory for keys: locked, so that it isn't swapped out, and left out of core dumps.
//!
//! [`Locked`] is a box whose content lives in regions that hold nothing else. A key is small and a page is not, so
//! keys share regions of 64 KiB. What the system refuses to lock, for `RLIMIT_MEMLOCK`'s sake, is used all the same:
//! [`is_locked`] tells.

use std::alloc::{Layout, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroize;

const REGION_BYTES: usize = 64 * 1024;
/// The grain, and the strictest alignment that is given.
const GRAIN: usize = 64;
const GRAINS: usize = REGION_BYTES / GRAIN;

static REGIONS: Mutex<Vec<Region>> = Mutex::new(Vec::new());
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Whether every region for keys could be locked so far.
#[must_use]
pub fn is_locked() -> bool {
    !REFUSED.load(Ordering::Relaxed)
}

struct Region {
    start: NonNull<u8>,
    taken: Box<[bool; GRAINS]>,
}

// SAFETY: the region is plain memory, which is handed out under the mutex, each grain to one owner.
unsafe impl Send for Region {}

impl Region {
    fn new() -> Region {
        let layout = Layout::new::<[u8; REGION_BYTES]>();
        let start = map().unwrap_or_else(|| handle_alloc_error(layout));
        Region { start, taken: Box::new([false; GRAINS]) }
    }

    fn take(&mut self, grains: usize) -> Option<NonNull<u8>> {
        let first = (0..=GRAINS.checked_sub(grains)?)
            .find(|&first| self.taken[first..first + grains].iter().all(|taken| !taken))?;
        self.taken[first..first + grains].fill(true);
        // SAFETY: the grains lie within the region.
        Some(unsafe { self.start.add(first * GRAIN) })
    }

    /// Gives grains back, if they are this region's.
    fn put(&mut self, pointer: NonNull<u8>, grains: usize) -> bool {
        let Some(offset) = pointer.addr().get().checked_sub(self.start.addr().get()) else { return false };
        if offset >= REGION_BYTES {
            return false;
        }
        self.taken[offset / GRAIN..offset / GRAIN + grains].fill(false);
        true
    }
}

#[cfg(unix)]
fn map() -> Option<NonNull<u8>> {
    // SAFETY: a fresh private mapping, whose address the system chooses, touches no memory of ours.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            REGION_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the range was mapped just now, whole.
    if unsafe { libc::mlock(start, REGION_BYTES) } != 0 {
        REFUSED.store(true, Ordering::Relaxed);
    }
    #[cfg(target_os = "linux")]
    // SAFETY: the range was mapped just now; the advice changes nothing that is in it.
    unsafe {
        libc::madvise(start, REGION_BYTES, libc::MADV_DONTDUMP)
    };
    NonNull::new(start.cast())
}

#[cfg(not(unix))]
fn map() -> Option<NonNull<u8>> {
    REFUSED.store(true, Ordering::Relaxed);
    let layout = Layout::from_size_align(REGION_BYTES, 4096).ok()?;
    // SAFETY: the layout isn't of size zero.
    NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) })
}

/// A poisoned lock only means that a panic came between two whole updates.
fn regions() -> MutexGuard<'static, Vec<Region>> {
    REGIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn grains<T>() -> usize {
    size_of::<T>().div_ceil(GRAIN).max(1)
}

/// A box in locked memory, which is overwritten when the box is dropped.
pub struct Locked<T> {
    pointer: NonNull<T>,
}

// SAFETY: the box owns its content alone, as Box does.
unsafe impl<T: Send> Send for Locked<T> {}
// SAFETY: as above; shared references give shared access only.
unsafe impl<T: Sync> Sync for Locked<T> {}

impl<T> Locked<T> {
    /// Moves a value there. Where it was on the stack is the caller's to scrub ([`crate::scrub::scrubbed`]).
    pub fn new(value: T) -> Locked<T> {
        const {
            assert!(align_of::<T>() <= GRAIN && size_of::<T>() <= REGION_BYTES);
        }
        let mut regions = regions();
        let found = regions.iter_mut().find_map(|region| region.take(grains::<T>()));
        let pointer = match found {
            Some(pointer) => pointer,
            None => {
                let mut region = Region::new();
                let taken = region.take(grains::<T>());
                regions.push(region);
                taken.unwrap_or_else(|| handle_alloc_error(Layout::new::<T>()))
            }
        };
        let pointer = pointer.cast::<T>();
        // SAFETY: the grains are ours alone, large enough and aligned for T.
        unsafe { pointer.write(value) };
        Locked { pointer }
    }
}

impl<T> Deref for Locked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the content was written when the box was made, and lives as long as it does.
        unsafe { self.pointer.as_ref() }
    }
}

impl<T> DerefMut for Locked<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the box is borrowed mutably.
        unsafe { self.pointer.as_mut() }
    }
}

impl<T> Drop for Locked<T> {
    fn drop(&mut self) {
        // SAFETY: the content is dropped once, and the bytes below it are ours until they are given back.
        unsafe {
            self.pointer.drop_in_place();
            std::slice::from_raw_parts_mut(
                self.pointer.cast::<u8>().as_ptr().cast::<std::mem::MaybeUninit<u8>>(),
                size_of::<T>(),
            )
            .zeroize();
        }
        let given_back = regions().iter_mut().any(|region| region.put(self.pointer.cast(), grains::<T>()));
        debug_assert!(given_back, "a locked box lay in no region");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_hold_what_they_were_given_until_they_are_dropped() {
        let boxes: Vec<Locked<[u8; 200]>> = (0..2000u32).map(|number| Locked::new([number as u8; 200])).collect();
        for (number, boxed) in boxes.iter().enumerate() {
            assert_eq!(**boxed, [number as u8; 200]);
            assert_eq!(boxed.pointer.addr().get() % GRAIN, 0);
        }
    }

    #[test]
    fn what_was_dropped_is_overwritten_before_its_place_is_given_again() {
        let boxed = Locked::new([0xA5u8; 64]);
        let place = boxed.pointer;
        drop(boxed);
        // SAFETY: regions are never unmapped; whoever has the place now wrote no such bytes.
        assert_ne!(unsafe { place.read_volatile() }, [0xA5u8; 64]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn regions_are_left_out_of_dumps_and_locked_if_the_system_lets_us() {
        let boxed = Locked::new([1u8; 32]);
        let address = boxed.pointer.addr().get();
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut flags = None;
        let mut inside = false;
        for line in maps.lines() {
            if let Some((start, end)) = line.split_once(' ').and_then(|(range, _)| range.split_once('-'))
                && let (Ok(start), Ok(end)) = (usize::from_str_radix(start, 16), usize::from_str_radix(end, 16))
            {
                inside = (start..end).contains(&address);
            }
            if inside && line.starts_with("VmFlags:") {
                flags = Some(line.to_owned());
            }
        }
        let flags = flags.unwrap();
        assert!(flags.contains(" dd"), "{flags}");
        assert_eq!(flags.contains(" lo"), is_locked(), "{flags}");
    }
}
