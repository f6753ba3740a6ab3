//! What work with keys leaves behind, and how it is overwritten.
//!
//! Overwriting the stack isn't enough. Hardly any function touches the upper vector registers, so a round key that a
//! kernel kept in `zmm16` outlives the call; and when the thread next calls a function for the first time, the dynamic
//! linker saves all vector registers on the stack (`_dl_runtime_resolve` does), as the frame of a signal handler does.
//! So the registers are cleared first, and the stack is overwritten when nothing is left that could get there.

#[cfg(target_arch = "x86_64")]
use std::arch::asm;

#[cfg(not(target_arch = "x86_64"))]
use zeroize::Zeroize;

/// How far below the caller the stack is overwritten: twice what the kernels use at most, since those who call them, and
/// the frame of a signal handler, need room too.
pub const STACK_BYTES: usize = 96 * 1024;

/// Does work with keys, then clears registers and overwrites the stack that it used, whatever way it ends.
///
/// What the work captures and returns lies in the caller's frame: no key bytes, unless the caller is scrubbed itself.
#[inline]
pub fn scrubbed<R>(work: impl FnOnce() -> R) -> R {
    let _scrub = ScrubOnDrop;
    below(work)
}

/// Never inlined, so that all frames of the work lie below the one from which the stack is overwritten.
#[inline(never)]
fn below<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Runs after a panic too.
struct ScrubOnDrop;

impl Drop for ScrubOnDrop {
    #[inline]
    fn drop(&mut self) {
        clear_registers();
        overwrite_stack();
    }
}

/// Never inlined, so that the array lies where the frames of the work were.
#[inline(never)]
fn overwrite_stack() {
    let mut below = [0u8; STACK_BYTES];
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the block has no instructions. For all that the compiler knows it reads the array, so the zeros are
    // written; volatile writes, byte by byte, would take longer than a small column.
    unsafe {
        asm!("/* {} */", in(reg) below.as_mut_ptr(), options(nostack, preserves_flags))
    };
    #[cfg(not(target_arch = "x86_64"))]
    below.zeroize();
}

/// Clears every register that a function may leave changed: the others have got their callers' content back.
#[cfg(target_arch = "x86_64")]
#[inline]
fn clear_registers() {
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has the extension.
        unsafe { clear_avx512() };
    } else if is_x86_feature_detected!("avx") {
        // SAFETY: the processor has the extension.
        unsafe { clear_avx() };
    } else {
        clear_sse();
    }
    // SAFETY: the block writes registers only, and declares all that a function may change.
    unsafe {
        asm!(
            ".irp register, eax, ecx, edx, esi, edi, r8d, r9d, r10d, r11d",
            "xor \\register, \\register",
            ".endr",
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
}

/// The vector path is for x86-64 alone; elsewhere, registers are left as they are.
#[cfg(not(target_arch = "x86_64"))]
fn clear_registers() {}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn clear_avx512() {
    // SAFETY: the block writes registers only, and declares all that a function may change.
    unsafe {
        asm!(
            "vzeroall",
            ".irp number, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
            "vpxord zmm\\number, zmm\\number, zmm\\number",
            ".endr",
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
fn clear_avx() {
    // SAFETY: as above.
    unsafe { asm!("vzeroall", clobber_abi("sysv64"), options(nostack)) };
}

#[cfg(target_arch = "x86_64")]
fn clear_sse() {
    // SAFETY: as above.
    unsafe {
        asm!(
            ".irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
            "xorps xmm\\number, xmm\\number",
            ".endr",
            clobber_abi("sysv64"),
            options(nostack),
        );
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    const MARK: [u8; 16] = *b"a round key's 16";

    /// Puts the mark into the low 16 bytes of each of the sixteen registers that every processor has.
    #[inline(never)]
    fn mark() {
        // SAFETY: the block reads 16 bytes and writes registers that a function may change.
        unsafe {
            asm!(
                ".irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
                "movdqu xmm\\number, [{mark}]",
                ".endr",
                mark = in(reg) MARK.as_ptr(),
                clobber_abi("sysv64"),
                options(nostack, readonly),
            );
        }
    }

    /// How many of the sixteen registers hold the mark.
    #[inline(never)]
    fn marked() -> usize {
        let mut held = [[0u8; 16]; 16];
        // SAFETY: the block writes the array, 16 times 16 bytes.
        unsafe {
            asm!(
                ".irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
                "movdqu [{held} + 16 * \\number], xmm\\number",
                ".endr",
                held = in(reg) held.as_mut_ptr(),
                options(nostack, preserves_flags),
            );
        }
        held.iter().filter(|bytes| **bytes == MARK).count()
    }

    #[test]
    fn registers_are_cleared_on_every_generation_of_processors() {
        mark();
        assert!(marked() > 8);
        mark();
        clear_sse();
        assert_eq!(marked(), 0);
        if is_x86_feature_detected!("avx") {
            mark();
            // SAFETY: the processor has the extension.
            unsafe { clear_avx() };
            assert_eq!(marked(), 0);
        }
        mark();
        clear_registers();
        assert_eq!(marked(), 0);
    }
}
