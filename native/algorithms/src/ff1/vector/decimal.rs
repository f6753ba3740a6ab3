//! Decimal digits in ASCII to numbers and back, for values of up to 16 digits in slots of 16 bytes.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi8, _mm512_add_epi64, _mm512_madd_epi16, _mm512_maddubs_epi16, _mm512_mask_cmpgt_epu8_mask,
    _mm512_mul_epu32, _mm512_mulhi_epu16, _mm512_mullo_epi16, _mm512_or_si512, _mm512_set1_epi8, _mm512_set1_epi16,
    _mm512_set1_epi32, _mm512_shuffle_epi8, _mm512_slli_epi16, _mm512_slli_epi32, _mm512_slli_epi64, _mm512_srli_epi16,
    _mm512_srli_epi64, _mm512_sub_epi8, _mm512_sub_epi16, _mm512_sub_epi64,
};

use super::registers::{broadcast, words};

/// The places of the digits of values of one length.
pub(super) struct DecimalSlots {
    /// From a slot to its halves, right-aligned in eight bytes each.
    gather: __m512i,
    /// Back again.
    scatter: __m512i,
    /// The bytes of a register that hold characters.
    used: u64,
}

impl DecimalSlots {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn new([left_length, right_length]: [usize; 2]) -> DecimalSlots {
        let (mut gather, mut scatter) = ([0x80; 16], [0x80; 16]);
        let length = left_length + right_length;
        for (index, entry) in scatter[..length].iter_mut().enumerate() {
            let end = if index < left_length { 8 } else { 16 };
            let half_end = if index < left_length { left_length } else { length };
            *entry = (end - half_end + index) as u8;
            gather[end - half_end + index] = index as u8;
        }
        let slot = (1u64 << length) - 1;
        DecimalSlots {
            gather: broadcast(&gather),
            scatter: broadcast(&scatter),
            used: slot | slot << 16 | slot << 32 | slot << 48,
        }
    }

    /// The halves of four slots, left ones in the even lanes, and which bytes are not digits.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn parse(&self, characters: __m512i) -> (__m512i, u64) {
        let digits = _mm512_sub_epi8(characters, _mm512_set1_epi8(b'0'.cast_signed()));
        let invalid = _mm512_mask_cmpgt_epu8_mask(self.used, digits, _mm512_set1_epi8(9));
        let digits = _mm512_shuffle_epi8(digits, self.gather);
        let pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010a));
        let quads = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x0001_0064));
        let upper = _mm512_mul_epu32(quads, words(10_000));
        (_mm512_add_epi64(upper, _mm512_srli_epi64::<32>(quads)), invalid)
    }

    /// The characters of four slots. Each multiplication by a reciprocal is exact for the numbers
    /// that can occur: below 10^8, 10^4 and 10^2.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn print(&self, halves: __m512i) -> __m512i {
        let upper = _mm512_srli_epi64::<45>(_mm512_mul_epu32(halves, words(3_518_437_209)));
        let lower = _mm512_sub_epi64(halves, _mm512_mul_epu32(upper, words(10_000)));
        let quads = _mm512_or_si512(upper, _mm512_slli_epi64::<32>(lower));
        let upper = _mm512_srli_epi16::<3>(_mm512_mulhi_epu16(quads, _mm512_set1_epi32(5_243)));
        let lower = _mm512_sub_epi16(quads, _mm512_mullo_epi16(upper, _mm512_set1_epi32(100)));
        let pairs = _mm512_or_si512(upper, _mm512_slli_epi32::<16>(lower));
        let upper = _mm512_mulhi_epu16(pairs, _mm512_set1_epi16(6_554));
        let lower = _mm512_sub_epi16(pairs, _mm512_mullo_epi16(upper, _mm512_set1_epi16(10)));
        let digits = _mm512_or_si512(upper, _mm512_slli_epi16::<8>(lower));
        let digits = _mm512_shuffle_epi8(digits, self.scatter);
        _mm512_add_epi8(digits, _mm512_set1_epi8(b'0'.cast_signed()))
    }
}
