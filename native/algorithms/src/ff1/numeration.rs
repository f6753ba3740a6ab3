//! Numerals to numbers and back (SP 800-38G, algorithms 1 and 3: NUM and STR).

use super::limbs::{self, WordDivisor};

/// The positional system of one radix.
pub(crate) struct Numeration {
    radix: u64,
    /// floor(2^64 / radix).
    reciprocal: u64,
    /// As many numerals as always fit 64 bits.
    step: usize,
    /// radix^step.
    step_base: u64,
    step_divisor: WordDivisor,
}

impl Numeration {
    pub(crate) fn new(radix: u32) -> Numeration {
        let radix = u64::from(radix);
        let step = (1..).find(|&step| radix.checked_pow(step + 1).is_none()).unwrap_or(1);
        let step_base = radix.pow(step);
        Numeration {
            radix,
            reciprocal: ((1u128 << 64) / u128::from(radix)) as u64,
            step: step as usize,
            step_base,
            step_divisor: WordDivisor::new(step_base),
        }
    }

    /// The number that the symbols spell, which must be below 2^64.
    #[inline(always)]
    pub(crate) fn number<S: Copy>(&self, symbols: &[S], numeral: impl Fn(S) -> u64) -> u64 {
        symbols.iter().fold(0, |number: u64, &symbol| number.wrapping_mul(self.radix).wrapping_add(numeral(symbol)))
    }

    /// The number that the symbols spell, which must be below 2^128.
    #[inline(always)]
    pub(crate) fn wide_number<S: Copy>(&self, symbols: &[S], numeral: impl Fn(S) -> u64 + Copy) -> u128 {
        let (head, steps) = symbols.split_at(symbols.len() % self.step);
        let mut number = u128::from(self.number(head, numeral));
        for step in steps.chunks_exact(self.step) {
            number =
                number.wrapping_mul(u128::from(self.step_base)).wrapping_add(u128::from(self.number(step, numeral)));
        }
        number
    }

    /// Spells the number with all the symbols there is room for.
    #[inline(always)]
    pub(crate) fn spell<S>(&self, mut number: u64, symbols: &mut [S], symbol: impl Fn(u64) -> S) {
        for target in symbols.iter_mut().rev() {
            // The estimate is the quotient or one less.
            let mut quotient = ((u128::from(number) * u128::from(self.reciprocal)) >> 64) as u64;
            let mut remainder = number.wrapping_sub(quotient.wrapping_mul(self.radix));
            let over = u64::from(remainder >= self.radix);
            quotient += over;
            remainder -= self.radix & over.wrapping_neg();
            *target = symbol(remainder);
            number = quotient;
        }
    }

    /// Spells a number below 2^128 with all the symbols there is room for.
    #[inline(always)]
    pub(crate) fn spell_wide<S>(&self, number: u128, symbols: &mut [S], symbol: impl Fn(u64) -> S + Copy) {
        let mut parts = [number as u64, (number >> 64) as u64];
        let (head, steps) = symbols.split_at_mut(symbols.len() % self.step);
        for step in steps.chunks_exact_mut(self.step).rev() {
            let part = if parts[1] == 0 && parts[0] < self.step_base {
                std::mem::take(&mut parts[0])
            } else {
                self.step_divisor.divide(&mut parts)
            };
            self.spell(part, step, symbol);
        }
        self.spell(parts[0], head, symbol);
    }

    /// The number that the numerals spell, into limbs that have room for it.
    pub(crate) fn long_number(&self, numerals: &[u16], limbs: &mut [u64]) {
        limbs.fill(0);
        if self.radix.is_power_of_two() {
            let width = self.radix.ilog2() as usize;
            for (index, &numeral) in numerals.iter().rev().enumerate() {
                let (limb, shift) = (index * width / 64, index * width % 64);
                limbs[limb] |= u64::from(numeral) << shift;
                if shift + width > 64 {
                    limbs[limb + 1] |= u64::from(numeral) >> (64 - shift);
                }
            }
            return;
        }
        let (head, steps) = numerals.split_at(numerals.len() % self.step);
        limbs[0] = self.number(head, u64::from);
        let mut used = 1;
        for step in steps.chunks_exact(self.step) {
            let part = self.number(step, u64::from);
            let carry = limbs::multiply_add(&mut limbs[..used], self.step_base, part);
            if carry > 0 {
                limbs[used] = carry;
                used += 1;
            }
        }
    }

    /// Spells the number with all the numerals there is room for; uses the limbs up.
    pub(crate) fn spell_long(&self, limbs: &mut [u64], numerals: &mut [u16]) {
        if self.radix.is_power_of_two() {
            let width = self.radix.ilog2() as usize;
            let mask = self.radix - 1;
            for (index, numeral) in numerals.iter_mut().rev().enumerate() {
                let (limb, shift) = (index * width / 64, index * width % 64);
                let mut bits = limbs[limb] >> shift;
                if shift + width > 64 {
                    bits |= limbs[limb + 1] << (64 - shift);
                }
                *numeral = (bits & mask) as u16;
            }
            return;
        }
        let mut used = limbs.len();
        let (head, steps) = numerals.split_at_mut(numerals.len() % self.step);
        for step in steps.chunks_exact_mut(self.step).rev() {
            let part = self.step_divisor.divide(&mut limbs[..used]);
            while used > 1 && limbs[used - 1] == 0 {
                used -= 1;
            }
            self.spell(part, step, |numeral| numeral as u16);
        }
        self.spell(limbs[0], head, |numeral| numeral as u16);
    }
}
