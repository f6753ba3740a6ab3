//! FF1 on every processor for halves of 97 to 512 bits (12 < b <= 64), with a fixed count of limbs.
//!
//! A half has as many 64-bit limbs as y, so that the compiler can unroll the arithmetic, and sums
//! below 4 m fit.

use super::Direction;
use super::limbs;
use super::numeration::Numeration;
use super::parameters::Parameters;
use super::portable::Batch;
use super::tweak::round_blocks;
use crate::aes::Block;

/// The largest b that has rounds here.
const MAXIMUM_HALF_BYTES: usize = 64;
/// Limbs of the longest y, 68 bytes.
const MAXIMUM_LIMBS: usize = 9;
/// Values that go through the rounds together.
pub(crate) const FIXED_LANES: usize = 64;

/// A modulus m and its reciprocals for y of Y bits.
///
/// For a divisor c > 2^(Y - 64) the reciprocal floor(2^Y / c) fits 64 bits, and with y's upper 64
/// bits it gives a quotient above y / c - 3 and at most y / c: what is left is below 3c. If m is too
/// small for that, the first step divides by c = m * 2^s, the least such multiple in range, and the
/// second divides the rest, below 3c < 2^(Y - 61), by m: m > 2^(Y - 125), since Y exceeds m's bits by
/// 80 at most.
struct Modulus {
    /// m, 2m and 3m.
    multiples: [[u64; MAXIMUM_LIMBS]; 3],
    /// c.
    coarse: [u64; MAXIMUM_LIMBS],
    /// floor(2^Y / c).
    reciprocal: u64,
    /// floor(2^(Y - 61) / m), if there is a second step.
    rest_reciprocal: Option<u64>,
}

impl Modulus {
    fn new(radix: u32, length: usize, stream_bits: u32) -> Modulus {
        let modulus = limbs::power(radix, length as u32);
        let padded = |number: &[u64]| {
            let mut padded = [0; MAXIMUM_LIMBS];
            for (limb, &number) in padded.iter_mut().zip(number) {
                *limb = number;
            }
            padded
        };
        let coarse = limbs::doubled_above_power(&modulus, stream_bits - 64);
        let has_second_step = limbs::bit_length(&coarse) != limbs::bit_length(&modulus);
        Modulus {
            multiples: [1, 2, 3].map(|factor| padded(&limbs::multiple(&modulus, factor))),
            coarse: padded(&coarse),
            reciprocal: limbs::reciprocal(&coarse, stream_bits, 64),
            rest_reciprocal: has_second_step.then(|| limbs::reciprocal(&modulus, stream_bits - 61, 64)),
        }
    }

    /// `half + y` or `half - y` modulo m.
    #[inline(always)]
    fn combine<const N: usize>(&self, direction: Direction, half: &mut [u64; N], mut y: [u64; N], stream_bits: u32) {
        let [once, twice, thrice] = &self.multiples;
        let quotient = high_product(window(&y, stream_bits - 64), self.reciprocal);
        subtract_product(&mut y, quotient, &self.coarse);
        if let Some(reciprocal) = self.rest_reciprocal {
            let quotient = high_product(window(&y, stream_bits - 61 - 64), reciprocal);
            subtract_product(&mut y, quotient, once);
        }
        match direction {
            Direction::Encrypt => {
                limbs::add(half, &y);
            }
            Direction::Decrypt => {
                limbs::add(half, &thrice[..N]);
                limbs::subtract(half, &y);
            }
        }
        // In [0, 4m).
        subtract_once(half, twice);
        subtract_once(half, once);
    }
}

/// The upper 64 bits of the product.
#[inline(always)]
fn high_product(left: u64, right: u64) -> u64 {
    ((u128::from(left) * u128::from(right)) >> 64) as u64
}

/// The 64 bits from `position` on.
#[inline(always)]
fn window<const N: usize>(number: &[u64; N], position: u32) -> u64 {
    let index = (position / 64) as usize;
    let upper = number.get(index + 1).copied().unwrap_or(0);
    ((u128::from(upper) << 64 | u128::from(number[index])) >> (position % 64)) as u64
}

/// `number -= factor * other`, which must not be negative.
#[inline(always)]
fn subtract_product<const N: usize>(number: &mut [u64; N], factor: u64, other: &[u64; MAXIMUM_LIMBS]) {
    let mut carry = 0;
    let mut borrow = false;
    for (limb, &other) in number.iter_mut().zip(other) {
        let product = u128::from(factor) * u128::from(other) + u128::from(carry);
        carry = (product >> 64) as u64;
        let (difference, first) = limb.overflowing_sub(product as u64);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        *limb = difference;
        borrow = first | second;
    }
}

/// `number -= other` unless that is negative, without a branch.
#[inline(always)]
fn subtract_once<const N: usize>(number: &mut [u64; N], other: &[u64; MAXIMUM_LIMBS]) {
    let mut difference = *number;
    let keep = u64::from(limbs::subtract(&mut difference, &other[..N])).wrapping_neg();
    for (limb, difference) in number.iter_mut().zip(difference) {
        *limb = *limb & keep | difference & !keep;
    }
}

/// What depends on radix and length only.
pub(crate) struct FixedFeistel {
    moduli: [Modulus; 2],
    half_lengths: [usize; 2],
    half_bytes: usize,
    stream_bytes: usize,
}

impl FixedFeistel {
    /// None if the halves are not of 97 to 512 bits.
    pub(crate) fn new(parameters: &Parameters) -> Option<FixedFeistel> {
        let stream_bits = 8 * parameters.stream_bytes() as u32;
        let modulus = |length| Modulus::new(parameters.radix(), length, stream_bits);
        (12 < parameters.half_bytes() && parameters.half_bytes() <= MAXIMUM_HALF_BYTES).then(|| FixedFeistel {
            moduli: parameters.half_lengths().map(modulus),
            half_lengths: parameters.half_lengths(),
            half_bytes: parameters.half_bytes(),
            stream_bytes: parameters.stream_bytes(),
        })
    }

    /// Transforms at most [`FIXED_LANES`] values in place.
    pub(crate) fn apply(&self, batch: &Batch<'_>, numeration: &Numeration, values: &mut [u16]) {
        match self.stream_bytes.div_ceil(8) {
            ..=3 => self.values::<3>(batch, numeration, values),
            4 => self.values::<4>(batch, numeration, values),
            5 => self.values::<5>(batch, numeration, values),
            6 => self.values::<6>(batch, numeration, values),
            7 => self.values::<7>(batch, numeration, values),
            8 => self.values::<8>(batch, numeration, values),
            _ => self.values::<MAXIMUM_LIMBS>(batch, numeration, values),
        }
    }

    fn values<const N: usize>(&self, batch: &Batch<'_>, numeration: &Numeration, values: &mut [u16]) {
        let [left_length, right_length] = self.half_lengths;
        let mut halves = [[[0; N]; FIXED_LANES]; 2];
        for (index, value) in values.chunks_exact(left_length + right_length).enumerate() {
            let (left, right) = value.split_at(left_length);
            numeration.long_number(left, &mut halves[0][index]);
            numeration.long_number(right, &mut halves[1][index]);
        }
        let mut stream = vec![[0; 16]; batch.count * self.stream_bytes.div_ceil(16)];
        for round in batch.rounds() {
            let [left, right] = &mut halves;
            let (target, source) = if round % 2 == 0 { (left, &*right) } else { (right, &*left) };
            self.authenticate(batch, round, &source[..batch.count], &mut stream[..batch.count]);
            self.extend(batch, &mut stream);
            let modulus = &self.moduli[round % 2];
            for (index, half) in target[..batch.count].iter_mut().enumerate() {
                let y = self.read_stream(batch.count, index, &stream);
                modulus.combine(batch.direction, half, y, 8 * self.stream_bytes as u32);
            }
        }
        for (index, value) in values.chunks_exact_mut(left_length + right_length).enumerate() {
            let (left, right) = value.split_at_mut(left_length);
            numeration.spell_long(&mut halves[0][index], left);
            numeration.spell_long(&mut halves[1][index], right);
        }
    }

    /// R: the CBC-MAC, block after block, all values in lockstep.
    fn authenticate<const N: usize>(&self, batch: &Batch<'_>, round: usize, halves: &[[u64; N]], states: &mut [Block]) {
        states.copy_from_slice(&batch.templates.blocks[..batch.count]);
        let mut addend = (round as u128) << (8 * (self.half_bytes % 16));
        for block in (0..round_blocks(self.half_bytes)).rev() {
            for (state, half) in states.iter_mut().zip(halves) {
                let limb = |index: usize| u128::from(half.get(index).copied().unwrap_or(0));
                let number = limb(2 * block + 1) << 64 | limb(2 * block);
                *state = (u128::from_be_bytes(*state) ^ number ^ addend).to_be_bytes();
            }
            batch.key.encrypt_blocks(batch.kernel, states);
            addend = 0;
        }
    }

    /// The rest of S: for all values the encryptions of R XOR 1, then those of R XOR 2 and so on.
    fn extend(&self, batch: &Batch<'_>, stream: &mut [Block]) {
        let (states, rest) = stream.split_at_mut(batch.count);
        for (counter, blocks) in (1u128..).zip(rest.chunks_exact_mut(batch.count)) {
            for (block, state) in blocks.iter_mut().zip(&*states) {
                *block = (u128::from_be_bytes(*state) ^ counter).to_be_bytes();
            }
        }
        batch.key.encrypt_blocks(batch.kernel, rest);
    }

    /// y: the first d bytes of S as a number.
    #[inline(always)]
    fn read_stream<const N: usize>(&self, count: usize, index: usize, stream: &[Block]) -> [u64; N] {
        let blocks = self.stream_bytes.div_ceil(16);
        // The words of S from its end; one more stands above them.
        let mut words = [0; MAXIMUM_LIMBS + 3];
        for (block, pair) in words.as_chunks_mut::<2>().0[..blocks].iter_mut().rev().enumerate() {
            let number = u128::from_be_bytes(stream[block * count + index]);
            *pair = [number as u64, (number >> 64) as u64];
        }
        let unused_bits = 128 * blocks - 8 * self.stream_bytes;
        std::array::from_fn(|limb| {
            let word = limb + unused_bits / 64;
            ((u128::from(words[word + 1]) << 64 | u128::from(words[word])) >> (unused_bits % 64)) as u64
        })
    }
}
