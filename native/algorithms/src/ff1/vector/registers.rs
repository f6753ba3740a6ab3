//! Loads, stores and constants.

use std::arch::x86_64::{
    __m128i, __m512i, _mm_loadu_si128, _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_cmpge_epu64_mask,
    _mm512_loadu_si512, _mm512_mask_sub_epi64, _mm512_set1_epi64, _mm512_storeu_si512, _mm512_ternarylogic_epi64,
};

use super::LIMB_BITS;
use crate::aes::Block;

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the reference is to 64 readable bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store(bytes: &mut [u8; 64], register: __m512i) {
    // SAFETY: the reference is to 64 writable bytes, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), register) }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load_words(words: &[u64; 8]) -> __m512i {
    // SAFETY: the reference is to 64 readable bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store_words(words: &mut [u64; 8], register: __m512i) {
    // SAFETY: the reference is to 64 writable bytes, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), register) }
}

/// Four of the eight numbers in each register.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load_wide(numbers: &[u128; 8]) -> [__m512i; 2] {
    let start: *const __m512i = numbers.as_ptr().cast();
    // SAFETY: the reference is to 128 readable bytes, and the loads need no alignment.
    unsafe { [_mm512_loadu_si512(start), _mm512_loadu_si512(start.add(1))] }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store_wide(numbers: &mut [u128; 8], registers: [__m512i; 2]) {
    let start: *mut __m512i = numbers.as_mut_ptr().cast();
    // SAFETY: the reference is to 128 writable bytes, and the stores need no alignment.
    unsafe {
        _mm512_storeu_si512(start, registers[0]);
        _mm512_storeu_si512(start.add(1), registers[1]);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load_blocks(blocks: &[Block; 4]) -> __m512i {
    // SAFETY: the reference is to 64 readable bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(blocks.as_ptr().cast()) }
}

/// The block in all four places.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn broadcast(block: &Block) -> __m512i {
    // SAFETY: the reference is to 16 readable bytes, and the load needs no alignment.
    let block: __m128i = unsafe { _mm_loadu_si128(block.as_ptr().cast()) };
    _mm512_broadcast_i32x4(block)
}

/// The number in all eight lanes.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn words(word: u64) -> __m512i {
    _mm512_set1_epi64(word.cast_signed())
}

/// The lower 52 bits of each lane.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn low_limb(register: __m512i) -> __m512i {
    _mm512_and_si512(register, words((1 << LIMB_BITS) - 1))
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0x96>(a, b, c)
}

/// `a - b` in the lanes where `a >= b`, else `a`; and which lanes those are.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn subtract_once(a: __m512i, b: __m512i) -> (__m512i, u8) {
    let over = _mm512_cmpge_epu64_mask(a, b);
    (_mm512_mask_sub_epi64(a, over, a, b), over)
}
