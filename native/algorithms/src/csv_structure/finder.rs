//! Where a byte stands in a block: AVX-512, AVX2, or eight bytes at a time.

use super::Dialect;
use super::blocks::{BLOCK_BYTES, Carry, scan};

/// Finds a byte in a block.
pub trait Find: Copy {
    /// A mask with a bit for each byte of the block that equals `byte`.
    fn find(self, block: &[u8; BLOCK_BYTES], byte: u8) -> u64;
}

/// An implementation that this processor can run; private, because one for an extension has to be asked for first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finder(Implementation);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Implementation {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Finder {
    /// Runs on every processor.
    pub const PORTABLE: Finder = Finder(Implementation::Portable);

    /// For AVX2, if this processor has it.
    #[must_use]
    pub fn avx2() -> Option<Finder> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
        {
            return Some(Finder(Implementation::Avx2));
        }
        None
    }

    /// For AVX-512 (F, BW), if this processor has it.
    #[must_use]
    pub fn avx512() -> Option<Finder> {
        #[cfg(target_arch = "x86_64")]
        if Finder::avx2().is_some() && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            return Some(Finder(Implementation::Avx512));
        }
        None
    }

    /// The fastest that this processor can run.
    #[must_use]
    pub fn best() -> Finder {
        Finder::avx512().or_else(Finder::avx2).unwrap_or(Finder::PORTABLE)
    }

    /// `"portable"`, `"avx2"` or `"avx512"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Implementation::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Implementation::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Implementation::Avx512 => "avx512",
        }
    }

    pub(super) fn scan(
        self,
        dialect: Dialect,
        fields: Option<u64>,
        carry: &mut Carry,
        data: &[u8],
        scanned: usize,
    ) -> bool {
        match self.0 {
            Implementation::Portable => scan(Words, dialect, fields, carry, data, scanned),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Finder::avx2` has seen that the processor has the extensions.
            Implementation::Avx2 => unsafe { x86::scan_avx2(dialect, fields, carry, data, scanned) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Finder::avx512` has seen that the processor has the extensions.
            Implementation::Avx512 => unsafe { x86::scan_avx512(dialect, fields, carry, data, scanned) },
        }
    }
}

/// Eight bytes at a time.
#[derive(Clone, Copy)]
struct Words;

impl Find for Words {
    #[inline(always)]
    fn find(self, block: &[u8; BLOCK_BYTES], byte: u8) -> u64 {
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        // Moves the top bits of eight bytes, each shifted down to the lowest, into the top byte in order.
        const GATHER: u64 = 0x0102_0408_1020_4080;
        let pattern = u64::from_ne_bytes([byte; 8]);
        let (words, _) = block.as_chunks::<8>();
        words.iter().enumerate().fold(0, |mask, (index, word)| {
            let differs = u64::from_le_bytes(*word) ^ pattern;
            let equal = !(((differs & LOW) + LOW) | differs | LOW) >> 7;
            mask | (equal.wrapping_mul(GATHER) >> 56) << (8 * index)
        })
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK_BYTES, Carry, Dialect, Find, scan};
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8, _mm512_cmpeq_epi8_mask,
        _mm512_loadu_si512, _mm512_set1_epi8,
    };

    /// Only made in `scan_avx2`.
    #[derive(Clone, Copy)]
    struct Avx2(());

    impl Find for Avx2 {
        #[inline(always)]
        fn find(self, block: &[u8; BLOCK_BYTES], byte: u8) -> u64 {
            let start = block.as_ptr().cast::<__m256i>();
            // SAFETY: the block holds two registers' bytes, and whoever made this value runs on AVX2.
            unsafe {
                let pattern = _mm256_set1_epi8(byte as i8);
                let mask = |half: usize| {
                    _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(start.add(half)), pattern)) as u32
                };
                u64::from(mask(1)) << 32 | u64::from(mask(0))
            }
        }
    }

    /// Only made in `scan_avx512`.
    #[derive(Clone, Copy)]
    struct Avx512(());

    impl Find for Avx512 {
        #[inline(always)]
        fn find(self, block: &[u8; BLOCK_BYTES], byte: u8) -> u64 {
            // SAFETY: the block holds one register's bytes, and whoever made this value runs on AVX-512.
            unsafe { _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(block.as_ptr().cast()), _mm512_set1_epi8(byte as i8)) }
        }
    }

    /// # Safety
    /// The processor has these extensions.
    #[target_feature(enable = "avx2,bmi1,lzcnt,popcnt")]
    pub unsafe fn scan_avx2(
        dialect: Dialect,
        fields: Option<u64>,
        carry: &mut Carry,
        data: &[u8],
        scanned: usize,
    ) -> bool {
        scan(Avx2(()), dialect, fields, carry, data, scanned)
    }

    /// # Safety
    /// The processor has these extensions.
    #[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,lzcnt,popcnt")]
    pub unsafe fn scan_avx512(
        dialect: Dialect,
        fields: Option<u64>,
        carry: &mut Carry,
        data: &[u8],
        scanned: usize,
    ) -> bool {
        scan(Avx512(()), dialect, fields, carry, data, scanned)
    }
}
