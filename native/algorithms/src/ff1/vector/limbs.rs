//! Numbers of a fixed count of 52-bit limbs, eight of them side by side: a lane of each register
//! belongs to one value.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_cmpge_epu64_mask, _mm512_cmpgt_epu64_mask, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_mask_add_epi64, _mm512_mask_mov_epi64, _mm512_mask_sub_epi64, _mm512_movepi64_mask,
    _mm512_or_si512, _mm512_setzero_si512, _mm512_sllv_epi64, _mm512_srai_epi64, _mm512_srli_epi64, _mm512_srlv_epi64,
    _mm512_sub_epi64,
};

use super::LIMB_BITS;
use super::registers::{low_limb, words};

/// The lower limbs of a number that is the same for all values.
pub(super) type Constant<const N: usize> = [u64; N];

/// Numbers below 2^(52 N), least significant limb first. A limb may exceed 52 bits, or be negative,
/// until the number is normalized.
#[derive(Clone, Copy)]
pub(super) struct Number<const N: usize>(pub(super) [__m512i; N]);

impl<const N: usize> Number<N> {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn zero() -> Self {
        Number([_mm512_setzero_si512(); N])
    }

    /// `self + factor * constant` modulo 2^(52 N), for a factor below 2^52; not normalized.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn plus_product(mut self, factor: __m512i, constant: &Constant<N>) -> Self {
        for (index, &limb) in constant.iter().enumerate() {
            let limb = words(limb);
            self.0[index] = _mm512_madd52lo_epu64(self.0[index], factor, limb);
            if index + 1 < N {
                self.0[index + 1] = _mm512_madd52hi_epu64(self.0[index + 1], factor, limb);
            }
        }
        self
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn plus(mut self, other: Self) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb = _mm512_add_epi64(*limb, other);
        }
        self
    }

    /// `self + constant - other`, not normalized.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn plus_difference(mut self, constant: &Constant<N>, other: Self) -> Self {
        for ((limb, &constant), other) in self.0.iter_mut().zip(constant).zip(other.0) {
            *limb = _mm512_add_epi64(*limb, _mm512_sub_epi64(words(constant), other));
        }
        self
    }

    /// All limbs in 52 bits; the number modulo 2^(52 N).
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn normalized(mut self) -> Self {
        let mut carry = _mm512_setzero_si512();
        for limb in &mut self.0 {
            let sum = _mm512_add_epi64(*limb, carry);
            carry = _mm512_srai_epi64::<LIMB_BITS>(sum);
            *limb = low_limb(sum);
        }
        self
    }

    /// `self - constant` in the lanes where that is not negative, else `self`, which is normalized.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn minus_once(mut self, constant: &Constant<N>) -> Self {
        let mut difference = self;
        let mut carry = _mm512_setzero_si512();
        for (limb, &constant) in difference.0.iter_mut().zip(constant) {
            let rest = _mm512_add_epi64(_mm512_sub_epi64(*limb, words(constant)), carry);
            carry = _mm512_srai_epi64::<LIMB_BITS>(rest);
            *limb = low_limb(rest);
        }
        // What is carried out of the top limb is the sign.
        let negative = _mm512_movepi64_mask(carry);
        for (limb, difference) in self.0.iter_mut().zip(difference.0) {
            *limb = _mm512_mask_mov_epi64(difference, negative, *limb);
        }
        self
    }

    /// The 64 bits from `position` on, of a normalized number.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn window(&self, position: u32) -> __m512i {
        let (index, offset) = ((position / LIMB_BITS) as usize, position % LIMB_BITS);
        let mut window = _mm512_setzero_si512();
        if index < N {
            window = _mm512_srlv_epi64(self.0[index], words(offset.into()));
        }
        if index + 1 < N {
            let limb = _mm512_sllv_epi64(self.0[index + 1], words((LIMB_BITS - offset).into()));
            window = _mm512_or_si512(window, limb);
        }
        if index + 2 < N && 2 * LIMB_BITS - offset < 64 {
            let limb = _mm512_sllv_epi64(self.0[index + 2], words((2 * LIMB_BITS - offset).into()));
            window = _mm512_or_si512(window, limb);
        }
        window
    }

    /// The number that is the upper 52 N bits, from `position` on, of 64-bit words.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn from_words(source: &[__m512i], position: u32) -> Self {
        let mut number = Self::zero();
        for (index, limb) in number.0.iter_mut().enumerate() {
            let position = position + index as u32 * LIMB_BITS;
            let (word, offset) = ((position / 64) as usize, position % 64);
            let mut window = _mm512_setzero_si512();
            if word < source.len() {
                window = _mm512_srlv_epi64(source[word], words(offset.into()));
            }
            if word + 1 < source.len() && offset + LIMB_BITS > 64 {
                let upper = _mm512_sllv_epi64(source[word + 1], words((64 - offset).into()));
                window = _mm512_or_si512(window, upper);
            }
            *limb = low_limb(window);
        }
        number
    }
}

/// `number * base + digit` for each number, of which only the lower `used` limbs can be nonzero,
/// before and after. Several numbers take turns, so that none waits for itself.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn append<const N: usize, const K: usize>(
    numbers: &mut [Number<N>; K],
    base: &Base,
    digits: &[__m512i; K],
    used: usize,
) {
    let factor = words(base.base);
    // What the next limb gets: the upper half of a product, and then a carry.
    let mut above = *digits;
    for index in 0..used.min(N) {
        for (number, above) in numbers.iter_mut().zip(&mut above) {
            let limb = number.0[index];
            let low = _mm512_madd52lo_epu64(*above, limb, factor);
            *above = _mm512_madd52hi_epu64(_mm512_srli_epi64::<LIMB_BITS>(low), limb, factor);
            number.0[index] = low_limb(low);
        }
    }
}

/// Replaces each number by its quotient by the base and gives the remainders. Only the lower `used`
/// limbs are nonzero.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn split<const N: usize, const K: usize>(
    numbers: &mut [Number<N>; K],
    base: &Base,
    used: usize,
) -> [__m512i; K] {
    let (left, right) = (words(base.shift.into()), words((LIMB_BITS - base.shift).into()));
    let mut remainders = [_mm512_setzero_si512(); K];
    for index in (0..used.min(N)).rev() {
        for (number, remainder) in numbers.iter_mut().zip(&mut remainders) {
            let limb = number.0[index];
            if index + 1 == used.min(N) {
                *remainder = _mm512_srlv_epi64(limb, right);
            }
            let mut low = _mm512_sllv_epi64(limb, left);
            if index > 0 {
                low = _mm512_or_si512(low, _mm512_srlv_epi64(number.0[index - 1], right));
            }
            (number.0[index], *remainder) = base.divide(*remainder, low_limb(low));
        }
    }
    for remainder in &mut remainders {
        *remainder = _mm512_srlv_epi64(*remainder, left);
    }
    remainders
}

/// A base below 2^52 in which numbers are read and spelled, with its reciprocal (Möller and Granlund,
/// "Improved division by invariant integers", IEEE Transactions on Computers 60(2), 2011, algorithm 4,
/// for words of 52 bits).
pub(super) struct Base {
    base: u64,
    /// The shift that normalizes the base to 52 bits.
    shift: u32,
    normalized: u64,
    /// floor((2^104 - 1) / normalized) - 2^52.
    reciprocal: u64,
}

impl Base {
    pub(super) fn new(base: u64) -> Base {
        let shift = base.leading_zeros() - (64 - LIMB_BITS);
        let normalized = base << shift;
        let quotient = (u128::MAX >> (128 - 2 * LIMB_BITS)) / u128::from(normalized);
        Base { base, shift, normalized, reciprocal: (quotient - (1 << LIMB_BITS)) as u64 }
    }

    /// The limbs of a number of so many digits.
    #[inline(always)]
    pub(super) fn limbs(&self, digits: usize) -> usize {
        (digits * (LIMB_BITS - self.shift) as usize).div_ceil(LIMB_BITS as usize)
    }

    /// Quotient and remainder of `high * 2^52 + low` by the normalized base; `high` is below it.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn divide(&self, high: __m512i, low: __m512i) -> (__m512i, __m512i) {
        let (zero, one) = (_mm512_setzero_si512(), words(1));
        let (divisor, reciprocal) = (words(self.normalized), words(self.reciprocal));
        let estimate = _mm512_madd52lo_epu64(low, high, reciprocal);
        let carry = _mm512_srli_epi64::<LIMB_BITS>(estimate);
        let upper = _mm512_madd52hi_epu64(_mm512_add_epi64(high, one), high, reciprocal);
        let quotient = low_limb(_mm512_add_epi64(upper, carry));
        let product = _mm512_madd52lo_epu64(zero, quotient, divisor);
        let remainder = low_limb(_mm512_sub_epi64(low, product));
        let over = _mm512_cmpgt_epu64_mask(remainder, low_limb(estimate));
        let quotient = _mm512_mask_sub_epi64(quotient, over, quotient, one);
        let remainder = low_limb(_mm512_mask_add_epi64(remainder, over, remainder, divisor));
        let under = _mm512_cmpge_epu64_mask(remainder, divisor);
        let quotient = _mm512_mask_add_epi64(quotient, under, quotient, one);
        (low_limb(quotient), _mm512_mask_sub_epi64(remainder, under, remainder, divisor))
    }
}
