//! Reduction modulo a half's domain size by multiplication with a reciprocal (Barrett), for halves
//! that fit a register or two.
//!
//! With `reciprocal = floor(2^k / modulus)` and `y < 2^k`, the estimate `floor(y * reciprocal /
//! 2^k)` is the quotient or one less, whatever the modulus: one conditional subtraction is enough.

/// A modulus in 2..=2^32, for 64-bit numbers.
#[derive(Clone, Copy)]
pub(crate) struct NarrowModulus {
    pub(crate) modulus: u64,
    reciprocal: u64,
}

impl NarrowModulus {
    pub(crate) fn new(modulus: u64) -> NarrowModulus {
        let reciprocal = ((1u128 << 64) / u128::from(modulus)) as u64;
        NarrowModulus { modulus, reciprocal }
    }

    #[inline(always)]
    pub(crate) fn reduce(self, number: u64) -> u64 {
        let quotient = ((u128::from(number) * u128::from(self.reciprocal)) >> 64) as u64;
        let remainder = number.wrapping_sub(quotient.wrapping_mul(self.modulus));
        remainder.min(remainder.wrapping_sub(self.modulus))
    }
}

/// A modulus in 2..=2^96, for 128-bit numbers.
#[derive(Clone, Copy)]
pub(crate) struct WideModulus {
    pub(crate) modulus: u128,
    reciprocal: u128,
}

impl WideModulus {
    pub(crate) fn new(modulus: u128) -> WideModulus {
        // floor(2^128 / modulus) by way of 2^128 - 1, which is what fits.
        let reciprocal = u128::MAX / modulus + u128::from(u128::MAX % modulus == modulus - 1);
        WideModulus { modulus, reciprocal }
    }

    #[inline(always)]
    pub(crate) fn reduce(self, number: u128) -> u128 {
        let quotient = high_product(number, self.reciprocal);
        let remainder = number.wrapping_sub(quotient.wrapping_mul(self.modulus));
        remainder.min(remainder.wrapping_sub(self.modulus))
    }
}

/// The upper 128 bits of the product.
#[inline(always)]
fn high_product(left: u128, right: u128) -> u128 {
    let (left_low, left_high) = (left & u128::from(u64::MAX), left >> 64);
    let (right_low, right_high) = (right & u128::from(u64::MAX), right >> 64);
    let low = (left_low * right_low) >> 64;
    let first = left_low * right_high + low;
    let second = left_high * right_low + (first & u128::from(u64::MAX));
    left_high * right_high + (first >> 64) + (second >> 64)
}
