//! Characters of a one-byte alphabet to numbers and back, for values in slots of 16 or 32 bytes.
//!
//! A half is right-aligned in half a slot and read by doubling: numerals to pairs, pairs to quads,
//! quads to octets, each octet in one 64-bit lane. A half of a 32-byte slot has two octets, high and
//! low. Printing goes the same way back; every division is a multiplication by a reciprocal.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_madd_epi16, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_maddubs_epi16,
    _mm512_mask_add_epi64, _mm512_maskz_permutexvar_epi8, _mm512_movepi8_mask, _mm512_mul_epu32, _mm512_mulhi_epu16,
    _mm512_mullo_epi16, _mm512_mullo_epi64, _mm512_or_si512, _mm512_permutex2var_epi8, _mm512_permutexvar_epi8,
    _mm512_set1_epi16, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_slli_epi16, _mm512_slli_epi64,
    _mm512_sllv_epi64, _mm512_srli_epi64, _mm512_srlv_epi16, _mm512_srlv_epi64, _mm512_sub_epi16, _mm512_sub_epi64,
};

use super::LIMB_BITS;
use super::registers::{load, low_limb, subtract_once, words};
use super::wide::Limbs;

/// In the table of numerals: the character is not in the alphabet.
const ABSENT: u8 = 0x80;

/// The radix, the alphabet and the places of the characters, as the registers take them.
pub(super) struct TextSlots {
    numerals: [__m512i; 2],
    characters: [__m512i; 2],
    /// The bytes of a register that hold characters.
    used: u64,
    /// From slots to halves: which byte goes where, and which places get one.
    gather: __m512i,
    gathered: u64,
    /// Back again.
    scatter: __m512i,
    pair_weights: __m512i,
    quad_weights: __m512i,
    quad_base: __m512i,
    octet_base: Limbs,
    /// From a number to its octets.
    octets: Division,
    octet: __m512i,
    /// From an octet to its quads.
    quads: Division,
    /// floor(2^52 / radix^2) + 1, exact for quads, since they are below 2^28.
    pair_reciprocal: __m512i,
    /// (radix^2 << 16) - 1.
    pair_spread: __m512i,
    /// floor(2^(16 + shift) / radix) + 1, exact for pairs: radix^3 <= 2^(16 + shift).
    numeral_reciprocal: __m512i,
    numeral_shift: __m512i,
    /// (radix << 8) - 1.
    numeral_spread: __m512i,
}

/// A quotient estimate from a number's 52 upper bits: the quotient, or one less.
///
/// With the reciprocal floor(2^(52 + before + after) / divisor), which has 52 bits, the estimate is
/// off by less than 2^before / divisor + 2^-after before it is rounded down; both are at most 1/8.
struct Division {
    before: __m512i,
    before_back: __m512i,
    after: __m512i,
    reciprocal: __m512i,
}

impl Division {
    /// For numbers below 2^`bits` and a divisor that makes quotients below 2^50.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(bits: u32, divisor: u64) -> Division {
        let before = bits.saturating_sub(LIMB_BITS);
        let divisor_bits = 64 - (divisor - 1).leading_zeros();
        let after = divisor_bits - 1 - before;
        Division {
            before: words(before.into()),
            before_back: words((LIMB_BITS - before).into()),
            after: words(after.into()),
            reciprocal: words(((1u128 << (LIMB_BITS + before + after)) / u128::from(divisor)) as u64),
        }
    }

    /// From the number's upper bits to the estimate.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn estimate(&self, upper: __m512i) -> __m512i {
        let product = _mm512_madd52hi_epu64(_mm512_setzero_si512(), upper, self.reciprocal);
        _mm512_srlv_epi64(product, self.after)
    }
}

impl TextSlots {
    /// `half_slot` is 8 or 16, at least the length of either half. `numerals` gives 255 for a
    /// character that is not in the alphabet, whose radix is 128 at most.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn new(
        radix: u32,
        [left_length, right_length]: [usize; 2],
        half_slot: usize,
        numerals: &[u8; 256],
        characters: &[u8; 128],
    ) -> TextSlots {
        let radix = u64::from(radix);
        let mut numeral_table = [[ABSENT; 64]; 2];
        for (entry, &numeral) in numeral_table.as_flattened_mut().iter_mut().zip(numerals) {
            *entry = numeral.min(ABSENT);
        }
        let (character_tables, _) = characters.as_chunks::<64>();
        let (mut gather, mut scatter, mut gathered, mut used) = ([0; 64], [0; 64], 0, 0);
        for slot in (0..64).step_by(2 * half_slot) {
            // What follows a value in its slot is a copy of its own first character.
            scatter[slot..slot + 2 * half_slot].fill((slot + half_slot - left_length) as u8);
            for index in 0..left_length + right_length {
                let place = if index < left_length {
                    half_slot - left_length + index
                } else {
                    2 * half_slot - right_length + index - left_length
                };
                gather[slot + place] = (slot + index) as u8;
                gathered |= 1 << (slot + place);
                scatter[slot + index] = (slot + place) as u8;
                used |= 1 << (slot + index);
            }
        }
        let pair = radix * radix;
        let quad = pair * pair;
        let octet = quad * quad;
        let half_bits = bits_of_power(radix, right_length);
        let numeral_shift = radix.next_power_of_two().ilog2() - 1;
        TextSlots {
            numerals: [load(&numeral_table[0]), load(&numeral_table[1])],
            characters: [load(&character_tables[0]), load(&character_tables[1])],
            used,
            gather: load(&gather),
            gathered,
            scatter: load(&scatter),
            pair_weights: _mm512_set1_epi16((1 << 8 | radix) as i16),
            quad_weights: _mm512_set1_epi32((1 << 16 | pair) as i32),
            quad_base: words(quad),
            octet_base: Limbs { low: low_limb(words(octet)), high: words(octet >> LIMB_BITS) },
            octets: Division::new(half_bits, octet),
            octet: words(octet),
            quads: Division::new(bits_of_power(radix, 8), quad),
            pair_reciprocal: words((1 << LIMB_BITS) / pair + 1),
            pair_spread: words((pair << 16) - 1),
            numeral_reciprocal: _mm512_set1_epi16(((1 << (16 + numeral_shift)) / radix + 1) as i16),
            numeral_shift: _mm512_set1_epi16(numeral_shift as i16),
            numeral_spread: _mm512_set1_epi16(((radix << 8) - 1) as i16),
        }
    }

    /// The octets of a register of slots, and which bytes are not in the alphabet.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) fn parse(&self, characters: __m512i) -> (__m512i, u64) {
        let [lower, upper] = self.numerals;
        // The look-up takes seven bits of a character; the eighth marks it as absent by itself.
        let numerals = _mm512_permutex2var_epi8(lower, characters, upper);
        let invalid = _mm512_movepi8_mask(_mm512_or_si512(numerals, characters)) & self.used;
        let numerals = _mm512_maskz_permutexvar_epi8(self.gathered, self.gather, numerals);
        let pairs = _mm512_maddubs_epi16(self.pair_weights, numerals);
        let quads = _mm512_madd_epi16(pairs, self.quad_weights);
        let upper = _mm512_mul_epu32(quads, self.quad_base);
        (_mm512_add_epi64(upper, _mm512_srli_epi64::<32>(quads)), invalid)
    }

    /// The characters of a register of octets.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
    pub(super) fn print(&self, octets: __m512i) -> __m512i {
        let estimate = self.quads.estimate(_mm512_srlv_epi64(octets, self.quads.before));
        let rest = _mm512_sub_epi64(octets, _mm512_mul_epu32(estimate, self.quad_base));
        let (lower, over) = subtract_once(rest, self.quad_base);
        let upper = _mm512_mask_add_epi64(estimate, over, estimate, words(1));
        let pairs = _mm512_or_si512(self.quad_to_pairs(upper), _mm512_slli_epi64::<32>(self.quad_to_pairs(lower)));
        let first = _mm512_srlv_epi16(_mm512_mulhi_epu16(pairs, self.numeral_reciprocal), self.numeral_shift);
        // first | second << 8, because second = pair - first * radix.
        let numerals = _mm512_sub_epi16(_mm512_slli_epi16::<8>(pairs), _mm512_mullo_epi16(first, self.numeral_spread));
        let numerals = _mm512_permutexvar_epi8(self.scatter, numerals);
        let [lower, upper] = self.characters;
        _mm512_permutex2var_epi8(lower, numerals, upper)
    }

    /// The pairs of a quad: the upper one in bits 0 to 15, the lower one in bits 16 to 31.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn quad_to_pairs(&self, quad: __m512i) -> __m512i {
        let first = _mm512_madd52hi_epu64(_mm512_setzero_si512(), quad, self.pair_reciprocal);
        // first | second << 16, because second = quad - first * radix^2.
        let spread = _mm512_mul_epu32(first, self.pair_spread);
        _mm512_sub_epi64(_mm512_slli_epi64::<16>(quad), spread)
    }

    /// The number that two octets make.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn join(&self, [high, low]: [__m512i; 2]) -> Limbs {
        let base = self.octet_base;
        let upper = _mm512_madd52hi_epu64(_mm512_srli_epi64::<LIMB_BITS>(low), high, base.low);
        Limbs {
            low: _mm512_madd52lo_epu64(low_limb(low), high, base.low),
            high: _mm512_madd52lo_epu64(upper, high, base.high),
        }
        .normalized()
    }

    /// The octets of a number.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    pub(super) fn split(&self, number: Limbs) -> [__m512i; 2] {
        let upper = _mm512_or_si512(
            _mm512_srlv_epi64(number.low, self.octets.before),
            _mm512_sllv_epi64(number.high, self.octets.before_back),
        );
        let estimate = self.octets.estimate(upper);
        let number = _mm512_or_si512(number.low, _mm512_slli_epi64::<LIMB_BITS>(number.high));
        let rest = _mm512_sub_epi64(number, _mm512_mullo_epi64(estimate, self.octet));
        let (low, over) = subtract_once(rest, self.octet);
        [_mm512_mask_add_epi64(estimate, over, estimate, words(1)), low]
    }
}

/// The bits of `radix^exponent - 1`, for powers up to 2^128.
fn bits_of_power(radix: u64, exponent: usize) -> u32 {
    let mut largest = 0u128;
    for _ in 0..exponent {
        largest = largest * u128::from(radix) + u128::from(radix - 1);
    }
    128 - largest.leading_zeros()
}
