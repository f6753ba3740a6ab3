//! Output buffers. A first touch of fresh memory costs more than the encryption of the token that goes there, unless
//! the buffer is made of huge pages: large ones are mapped 2 MiB-aligned and advised so.

use arrow_buffer::Buffer;
use std::ptr::NonNull;
use std::sync::Arc;

#[cfg(target_os = "linux")]
const HUGE_PAGE: usize = 2 << 20;
#[cfg(target_os = "linux")]
const SMALLEST_MAPPING: usize = 4 << 20;

/// Zeroed bytes of a fixed size that become an Arrow buffer.
pub struct Bytes {
    start: NonNull<u8>,
    size: usize,
    owner: Owner,
}

enum Owner {
    Heap(Vec<u128>),
    #[cfg(target_os = "linux")]
    Mapping(Mapping),
}

// SAFETY: the memory is owned by `owner` alone and reachable through `&mut self` only, until it is handed to a Buffer.
unsafe impl Send for Bytes {}

impl Bytes {
    /// Zeroed memory, aligned for any Arrow type.
    pub fn zeroed(size: usize) -> Bytes {
        #[cfg(target_os = "linux")]
        if size >= SMALLEST_MAPPING
            && let Some(mapping) = Mapping::new(size)
        {
            return Bytes { start: mapping.aligned, size, owner: Owner::Mapping(mapping) };
        }
        let mut words = vec![0_u128; size.div_ceil(16)];
        let start = NonNull::from(words.as_mut_slice()).cast();
        Bytes { start, size, owner: Owner::Heap(words) }
    }

    /// The bytes, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: `start` points at `size` initialised (zeroed) bytes that `owner` keeps, borrowed as long as self is.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.size) }
    }

    /// Hands the first `used` bytes to Arrow.
    pub fn into_buffer(self, used: usize) -> Buffer {
        let used = used.min(self.size);
        match self.owner {
            Owner::Heap(words) => Buffer::from_vec(words).slice_with_length(0, used),
            #[cfg(target_os = "linux")]
            // SAFETY: the mapping holds at least `used` bytes from `start` and lives until the buffer drops it.
            Owner::Mapping(mapping) => unsafe { Buffer::from_custom_allocation(self.start, used, Arc::new(mapping)) },
        }
    }
}

#[cfg(target_os = "linux")]
struct Mapping {
    base: NonNull<u8>,
    mapped: usize,
    aligned: NonNull<u8>,
}

// SAFETY: a mapping is plain memory without thread affinity; it is only unmapped, once, on drop.
#[cfg(target_os = "linux")]
unsafe impl Send for Mapping {}
// SAFETY: as above; nothing is mutated through a shared reference.
#[cfg(target_os = "linux")]
unsafe impl Sync for Mapping {}
#[cfg(target_os = "linux")]
impl std::panic::RefUnwindSafe for Mapping {}

#[cfg(target_os = "linux")]
impl Mapping {
    fn new(size: usize) -> Option<Mapping> {
        let mapped = size.checked_add(HUGE_PAGE)?;
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
        let skip = base.as_ptr().align_offset(HUGE_PAGE);
        // SAFETY: skip < HUGE_PAGE <= mapped, so the pointer stays inside the mapping.
        let aligned = unsafe { base.add(skip.min(HUGE_PAGE)) };
        // SAFETY: advice on a range of our own mapping; a refusal only costs speed, so the result is ignored.
        unsafe { libc::madvise(aligned.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
        Some(Mapping { base, mapped, aligned })
    }
}

#[cfg(target_os = "linux")]
impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: base and mapped are what mmap returned and was asked for; nothing refers to the memory any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.mapped) };
    }
}
