//! Natural numbers as 64-bit limbs, least significant first: what FF1 on long values needs.

/// `limbs * factor + addend`; returns the carry out of the top limb.
pub(crate) fn multiply_add(limbs: &mut [u64], factor: u64, addend: u64) -> u64 {
    let mut carry = addend;
    for limb in limbs {
        let product = u128::from(*limb) * u128::from(factor) + u128::from(carry);
        *limb = product as u64;
        carry = (product >> 64) as u64;
    }
    carry
}

/// `left += right`, limbs of equal number; returns the carry.
pub(crate) fn add(left: &mut [u64], right: &[u64]) -> bool {
    let mut carry = false;
    for (limb, &other) in left.iter_mut().zip(right) {
        let (sum, first) = limb.overflowing_add(other);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        *limb = sum;
        carry = first | second;
    }
    carry
}

/// `left -= right`, limbs of equal number; returns the borrow.
pub(crate) fn subtract(left: &mut [u64], right: &[u64]) -> bool {
    let mut borrow = false;
    for (limb, &other) in left.iter_mut().zip(right) {
        let (difference, first) = limb.overflowing_sub(other);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        *limb = difference;
        borrow = first | second;
    }
    borrow
}

/// Whether `left >= right`, limbs of equal number.
pub(crate) fn at_least(left: &[u64], right: &[u64]) -> bool {
    left.iter().rev().cmp(right.iter().rev()).is_ge()
}

/// The bits of the number.
pub(crate) fn bit_length(limbs: &[u64]) -> u32 {
    match limbs.iter().rposition(|&limb| limb != 0) {
        Some(top) => 64 * top as u32 + 64 - limbs[top].leading_zeros(),
        None => 0,
    }
}

/// `radix^exponent`, without leading zero limbs.
pub(crate) fn power(radix: u32, exponent: u32) -> Vec<u64> {
    let radix = u64::from(radix);
    let step = (1..).find(|&step| radix.checked_pow(step + 1).is_none()).unwrap_or(1);
    let mut limbs = vec![1];
    let mut left = exponent;
    while left > 0 {
        let digits = left.min(step);
        let carry = multiply_add(&mut limbs, radix.pow(digits), 0);
        if carry > 0 {
            limbs.push(carry);
        }
        left -= digits;
    }
    limbs
}

/// `factor` times the number, with one limb more.
pub(crate) fn multiple(number: &[u64], factor: u64) -> Vec<u64> {
    let mut product = number.to_vec();
    let carry = multiply_add(&mut product, factor, 0);
    product.push(carry);
    product
}

/// Whether the number is above 2^`exponent`.
fn exceeds_power(number: &[u64], exponent: u32) -> bool {
    let mut power = vec![0; number.len().max(exponent as usize / 64 + 1)];
    power[exponent as usize / 64] = 1 << (exponent % 64);
    let mut padded = number.to_vec();
    padded.resize(power.len(), 0);
    !at_least(&power, &padded)
}

/// The number, doubled as often as it takes to be above 2^`exponent`.
pub(crate) fn doubled_above_power(number: &[u64], exponent: u32) -> Vec<u64> {
    let mut doubled = number.to_vec();
    while !exceeds_power(&doubled, exponent) {
        doubled = multiple(&doubled, 2);
    }
    doubled
}

/// floor(2^`exponent` / divisor), which must be below 2^`bits`; `bits` is at most 64.
pub(crate) fn reciprocal(divisor: &[u64], exponent: u32, bits: u32) -> u64 {
    let mut quotient = 0;
    for bit in (0..bits).rev() {
        let trial = quotient | 1 << bit;
        if !exceeds_power(&multiple(divisor, trial), exponent) {
            quotient = trial;
        }
    }
    quotient
}

/// A divisor of one limb with its reciprocal (Möller and Granlund, "Improved division by invariant
/// integers", IEEE Transactions on Computers 60(2), 2011, algorithm 4).
pub(crate) struct WordDivisor {
    normalized: u64,
    shift: u32,
    reciprocal: u64,
}

impl WordDivisor {
    /// The divisor must not be zero.
    pub(crate) fn new(divisor: u64) -> WordDivisor {
        let shift = divisor.leading_zeros();
        let normalized = divisor << shift;
        let reciprocal = (u128::MAX / u128::from(normalized)) as u64;
        WordDivisor { normalized, shift, reciprocal }
    }

    /// Quotient and remainder of `high * 2^64 + low` by the normalized divisor; `high` is below it.
    #[inline(always)]
    fn divide_two(&self, high: u64, low: u64) -> (u64, u64) {
        let product = u128::from(self.reciprocal) * u128::from(high);
        let estimate = product.wrapping_add(u128::from(high) << 64 | u128::from(low));
        let mut quotient = ((estimate >> 64) as u64).wrapping_add(1);
        let mut remainder = low.wrapping_sub(quotient.wrapping_mul(self.normalized));
        if remainder > estimate as u64 {
            quotient = quotient.wrapping_sub(1);
            remainder = remainder.wrapping_add(self.normalized);
        }
        if remainder >= self.normalized {
            quotient = quotient.wrapping_add(1);
            remainder -= self.normalized;
        }
        (quotient, remainder)
    }

    /// Replaces the number by its quotient and returns the remainder.
    pub(crate) fn divide(&self, limbs: &mut [u64]) -> u64 {
        let mut remainder = 0;
        let mut above: Option<usize> = None;
        // Each step divides one limb of the number shifted left by `shift`; what a limb loses at
        // its top belongs to the step above.
        for index in (0..limbs.len()).rev() {
            let limb = limbs[index];
            let carried = if self.shift == 0 { 0 } else { limb >> (64 - self.shift) };
            match above {
                None => remainder = carried,
                Some(position) => {
                    let (quotient, rest) = self.divide_two(remainder, limbs[position] << self.shift | carried);
                    limbs[position] = quotient;
                    remainder = rest;
                }
            }
            above = Some(index);
        }
        if let Some(position) = above {
            let (quotient, rest) = self.divide_two(remainder, limbs[position] << self.shift);
            limbs[position] = quotient;
            remainder = rest;
        }
        remainder >> self.shift
    }
}

/// A modulus of two limbs or more.
pub(crate) struct Modulus {
    limbs: Box<[u64]>,
    normalized: Box<[u64]>,
    shift: u32,
    top: WordDivisor,
}

impl Modulus {
    /// The limbs must be two or more, the top one nonzero.
    pub(crate) fn new(limbs: Vec<u64>) -> Modulus {
        let shift = limbs[limbs.len() - 1].leading_zeros();
        let mut normalized = limbs.clone();
        shift_left(&mut normalized, shift);
        let top = WordDivisor::new(normalized[normalized.len() - 1]);
        Modulus { limbs: limbs.into(), normalized: normalized.into(), shift, top }
    }

    /// The number of limbs of the modulus.
    pub(crate) fn len(&self) -> usize {
        self.limbs.len()
    }

    /// The modulus itself.
    pub(crate) fn limbs(&self) -> &[u64] {
        &self.limbs
    }

    /// Reduces `number` in place (Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D);
    /// it has more limbs than the modulus, and the top one is zero, room for the normalization.
    pub(crate) fn reduce(&self, number: &mut [u64]) {
        let size = self.normalized.len();
        shift_left(number, self.shift);
        for offset in (0..number.len() - size).rev() {
            self.step(&mut number[offset..=offset + size]);
        }
        shift_right(number, self.shift);
    }

    /// One quotient digit: reduces a window of one limb more than the modulus has.
    fn step(&self, window: &mut [u64]) {
        let size = self.normalized.len();
        let (high, low, next) = (window[size], window[size - 1], window[size - 2]);
        let (top, second) = (self.normalized[size - 1], self.normalized[size - 2]);
        let (mut digit, mut rest) = if high >= top {
            (u64::MAX, low.checked_add(top))
        } else {
            let (digit, rest) = self.top.divide_two(high, low);
            (digit, Some(rest))
        };
        while let Some(remainder) = rest {
            let product = u128::from(digit) * u128::from(second);
            if product <= (u128::from(remainder) << 64 | u128::from(next)) {
                break;
            }
            digit -= 1;
            rest = remainder.checked_add(top);
        }
        let mut carry = 0u64;
        let mut borrow = false;
        for (limb, &other) in window.iter_mut().zip(&self.normalized) {
            let product = u128::from(digit) * u128::from(other) + u128::from(carry);
            carry = (product >> 64) as u64;
            let (difference, first) = limb.overflowing_sub(product as u64);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = first | second;
        }
        let (difference, first) = window[size].overflowing_sub(carry);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        window[size] = difference;
        if first | second {
            let carry = add(&mut window[..size], &self.normalized);
            window[size] = window[size].wrapping_add(u64::from(carry));
        }
    }
}

fn shift_left(limbs: &mut [u64], shift: u32) {
    if shift == 0 {
        return;
    }
    let mut carry = 0;
    for limb in limbs {
        let shifted = *limb << shift | carry;
        carry = *limb >> (64 - shift);
        *limb = shifted;
    }
}

fn shift_right(limbs: &mut [u64], shift: u32) {
    if shift == 0 {
        return;
    }
    let mut carry = 0;
    for limb in limbs.iter_mut().rev() {
        let shifted = *limb >> shift | carry;
        carry = *limb << (64 - shift);
        *limb = shifted;
    }
}
