//! The Feistel rounds on halves of 97 to 512 bits (12 < b <= 64).
//!
//! The counts of limbs and blocks follow from d, the bytes of S that a round reduces, so each d has
//! its own code. A half has 52-bit limbs enough for y, which leaves room for the sums below 4 m.

use std::arch::x86_64::{
    __m512i, _mm512_madd52hi_epu64, _mm512_set_epi64, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use super::LIMB_BITS;
use super::limbs::{Constant, Number};
use super::registers::{broadcast, load, load_blocks, low_limb, store, words, xor3};
use crate::aes::vector::encrypt_blocks;
use crate::aes::{Block, RoundKeys};
use crate::ff1::Direction;
use crate::ff1::limbs;
use crate::ff1::parameters::Parameters;
use crate::ff1::portable::Batch;
use crate::ff1::tweak::round_blocks;

/// The largest b that has rounds here.
pub(in crate::ff1) const MAXIMUM_HALF_BYTES: usize = 64;
/// Limbs of the longest y, 68 bytes.
const MAXIMUM_LIMBS: usize = 11;
/// 64-bit words of the longest S, 5 blocks; as many as those of the longest end of Q.
const MAXIMUM_WORDS: usize = 10;
/// Groups that go through the rounds together: enough to hide what one group waits for.
pub(super) const LONG_GROUPS: usize = 8;

/// Groups whose AES rounds run in lockstep.
const LOCKSTEP: usize = 4;
/// Registers of blocks in lockstep: of each group those of the even lanes and those of the odd lanes.
const BLOCK_REGISTERS: usize = 2 * LOCKSTEP;
type Blocks = [__m512i; BLOCK_REGISTERS];

/// A modulus m and its reciprocals for y of Y bits.
///
/// For a divisor c > 2^(Y - 52) the reciprocal floor(2^Y / c) fits 52 bits, and with y's upper 52
/// bits it gives a quotient above y / c - 3 and at most y / c: what is left is below 3c. If m is too
/// small for that, the first step divides by c = m * 2^s, the least such multiple in range, and the
/// second divides the rest, below 3c < 2^(Y - 49), by m: m > 2^(Y - 101), since Y exceeds m's bits by
/// 80 at most.
struct Modulus {
    /// m, 2m and 3m.
    multiples: [[u64; MAXIMUM_LIMBS]; 3],
    /// 2^(52 N) - m.
    complement: [u64; MAXIMUM_LIMBS],
    /// 2^(52 N) - c.
    coarse_complement: [u64; MAXIMUM_LIMBS],
    /// floor(2^Y / c).
    reciprocal: u64,
    /// floor(2^(Y - 49) / m), if there is a second step.
    rest_reciprocal: Option<u64>,
}

impl Modulus {
    fn new(radix: u32, length: usize, stream_bits: u32) -> Modulus {
        let size = stream_bits.div_ceil(LIMB_BITS) as usize;
        let modulus = limbs::power(radix, length as u32);
        let coarse = limbs::doubled_above_power(&modulus, stream_bits - LIMB_BITS);
        let has_second_step = limbs::bit_length(&coarse) != limbs::bit_length(&modulus);
        Modulus {
            multiples: [1, 2, 3].map(|factor| limbs_of_52_bits(&limbs::multiple(&modulus, factor))),
            complement: complement(limbs_of_52_bits(&modulus), size),
            coarse_complement: complement(limbs_of_52_bits(&coarse), size),
            reciprocal: limbs::reciprocal(&coarse, stream_bits, LIMB_BITS),
            rest_reciprocal: has_second_step.then(|| limbs::reciprocal(&modulus, stream_bits - 49, LIMB_BITS)),
        }
    }

    /// `half + y` or `half - y` modulo m; y has 32 D bits.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn combine<const D: usize, const N: usize>(&self, decrypt: bool, half: Number<N>, y: Number<N>) -> Number<N> {
        let stream_bits = 32 * D as u32;
        let zero = _mm512_setzero_si512();
        let mut rest = y;
        let mut quotient = _mm512_madd52hi_epu64(zero, y.window(stream_bits - LIMB_BITS), words(self.reciprocal));
        if let Some(reciprocal) = self.rest_reciprocal {
            rest = rest.plus_product(quotient, first(&self.coarse_complement)).normalized();
            let top = low_limb(rest.window(stream_bits - 49 - LIMB_BITS));
            quotient = _mm512_madd52hi_epu64(zero, top, words(reciprocal));
        }
        let [once, twice, thrice] = &self.multiples;
        let sum = if decrypt {
            half.plus_difference(first(thrice), rest).plus_product(quotient, first(once))
        } else {
            half.plus(rest).plus_product(quotient, first(&self.complement))
        };
        // In [0, 4m).
        sum.normalized().minus_once(first(twice)).minus_once(first(once))
    }
}

/// The first N limbs; the others are zero.
#[inline(always)]
fn first<const N: usize>(limbs: &[u64; MAXIMUM_LIMBS]) -> &Constant<N> {
    const { assert!(N <= MAXIMUM_LIMBS) };
    // N is at most the length, so there is a first chunk.
    limbs.first_chunk().unwrap_or(&[0; N])
}

fn limbs_of_52_bits(number: &[u64]) -> [u64; MAXIMUM_LIMBS] {
    let mut limbs = [0; MAXIMUM_LIMBS];
    let word = |index: usize| u128::from(number.get(index).copied().unwrap_or(0));
    for (index, limb) in limbs.iter_mut().enumerate() {
        let position = index * LIMB_BITS as usize;
        let pair = word(position / 64) | word(position / 64 + 1) << 64;
        *limb = (pair >> (position % 64)) as u64 & ((1 << LIMB_BITS) - 1);
    }
    limbs
}

/// 2^(52 size) - number.
fn complement(number: [u64; MAXIMUM_LIMBS], size: usize) -> [u64; MAXIMUM_LIMBS] {
    let mut complement = [0; MAXIMUM_LIMBS];
    let mut carry = 1;
    for (limb, number) in complement.iter_mut().zip(number).take(size) {
        let sum = (number ^ ((1 << LIMB_BITS) - 1)) + carry;
        *limb = sum & ((1 << LIMB_BITS) - 1);
        carry = sum >> LIMB_BITS;
    }
    complement
}

/// The halves of [`LONG_GROUPS`] groups, left and right.
pub(super) type LongHalves<const N: usize> = [[Number<N>; LONG_GROUPS]; 2];

/// The ten rounds for values of one radix and length.
pub(super) struct LongRounds {
    half_bytes: usize,
    moduli: [Modulus; 2],
}

impl LongRounds {
    /// For 12 < b <= [`MAXIMUM_HALF_BYTES`].
    pub(super) fn new(parameters: &Parameters) -> LongRounds {
        let stream_bits = 8 * parameters.stream_bytes() as u32;
        let moduli = parameters.half_lengths().map(|length| Modulus::new(parameters.radix(), length, stream_bits));
        LongRounds { half_bytes: parameters.half_bytes(), moduli }
    }

    /// Runs the rounds on the first `groups` groups, whose first value is number `start` of the
    /// batch. D is d / 4, and N the limbs of y.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,vaes")]
    pub(super) fn run<const D: usize, const N: usize>(
        &self,
        batch: &Batch<'_>,
        start: usize,
        halves: &mut LongHalves<N>,
        groups: usize,
    ) {
        let keys = batch.key.round_keys();
        let (rows, _) = batch.templates.blocks[start..].as_chunks::<4>();
        let (rows, _) = rows.as_chunks::<BLOCK_REGISTERS>();
        let decrypt = batch.direction == Direction::Decrypt;
        for round in batch.rounds() {
            let modulus = &self.moduli[round % 2];
            let [left, right] = &mut *halves;
            let (target, source) = if round % 2 == 0 { (left, &*right) } else { (right, &*left) };
            let (targets, _) = target.as_chunks_mut::<LOCKSTEP>();
            let (sources, _) = source.as_chunks::<LOCKSTEP>();
            let sets = targets.iter_mut().zip(sources).zip(rows);
            for ((target, source), templates) in sets.take(groups.div_ceil(LOCKSTEP)) {
                let mut state = [broadcast(&batch.templates.blocks[0]); BLOCK_REGISTERS];
                if batch.templates.each {
                    for (state, template) in state.iter_mut().zip(templates) {
                        *state = load_blocks(template);
                    }
                }
                let state = self.authenticate(keys, round, state, source);
                let y = extend::<D, N>(keys, state);
                for (target, y) in target.iter_mut().zip(y) {
                    *target = modulus.combine::<D, N>(decrypt, *target, y);
                }
            }
        }
    }

    /// R of algorithm 7, step 6.ii.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,vaes")]
    fn authenticate<const N: usize>(
        &self,
        keys: &RoundKeys,
        round: usize,
        mut state: Blocks,
        halves: &[Number<N>; LOCKSTEP],
    ) -> Blocks {
        let mut half_words = [[_mm512_setzero_si512(); MAXIMUM_WORDS]; LOCKSTEP];
        for (half_words, half) in half_words.iter_mut().zip(halves) {
            for (index, word) in half_words.iter_mut().enumerate().take(2 * round_blocks(MAXIMUM_HALF_BYTES)) {
                *word = half.window(64 * index as u32);
            }
        }
        let mut round_block: Block = [0; 16];
        round_block[15 - self.half_bytes % 16] = round as u8;
        let mut addend = broadcast(&round_block);
        for block in (0..round_blocks(self.half_bytes)).rev() {
            for (half_words, state) in half_words.iter().zip(state.as_chunks_mut::<2>().0) {
                let (lower, upper) = (half_words[2 * block], half_words[2 * block + 1]);
                state[0] = xor3(state[0], reversed(_mm512_unpacklo_epi64(lower, upper)), addend);
                state[1] = xor3(state[1], reversed(_mm512_unpackhi_epi64(lower, upper)), addend);
            }
            state = encrypt(keys, state);
            addend = _mm512_setzero_si512();
        }
        state
    }
}

/// y of algorithm 7, steps 6.iii and 6.iv: the first 4 D bytes of R, E(R XOR 1), E(R XOR 2) and so on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,vaes")]
fn extend<const D: usize, const N: usize>(keys: &RoundKeys, state: Blocks) -> [Number<N>; LOCKSTEP] {
    const { assert!(2 * D.div_ceil(4) <= MAXIMUM_WORDS && N == (32 * D).div_ceil(LIMB_BITS as usize)) };
    let count = D.div_ceil(4);
    let mut stream = [[_mm512_setzero_si512(); MAXIMUM_WORDS]; LOCKSTEP];
    for counter in 0..count {
        let mut blocks = state;
        if counter > 0 {
            let mut counter_block: Block = [0; 16];
            counter_block[15] = counter as u8;
            let counter_block = broadcast(&counter_block);
            for block in &mut blocks {
                *block = _mm512_xor_si512(*block, counter_block);
            }
            blocks = encrypt(keys, blocks);
        }
        let position = 2 * (count - 1 - counter);
        for (stream, &[even, odd]) in stream.iter_mut().zip(blocks.as_chunks::<2>().0) {
            let (even, odd) = (reversed(even), reversed(odd));
            stream[position] = _mm512_unpacklo_epi64(even, odd);
            stream[position + 1] = _mm512_unpackhi_epi64(even, odd);
        }
    }
    let mut numbers = [Number::zero(); LOCKSTEP];
    for (number, stream) in numbers.iter_mut().zip(&stream) {
        *number = Number::from_words(&stream[..2 * count], (128 * count - 32 * D) as u32);
    }
    numbers
}

/// Encrypts every block on its own. By way of memory, which costs little beside the rounds, since
/// their code is too long to be repeated for every d.
#[inline]
#[target_feature(enable = "avx512f,vaes")]
fn encrypt(keys: &RoundKeys, mut registers: Blocks) -> Blocks {
    let mut bytes = [[0; 64]; BLOCK_REGISTERS];
    for (bytes, &register) in bytes.iter_mut().zip(&registers) {
        store(bytes, register);
    }
    encrypt_blocks(keys, bytes.as_flattened_mut().as_chunks_mut().0);
    for (bytes, register) in bytes.iter().zip(&mut registers) {
        *register = load(bytes);
    }
    registers
}

/// Each block with its bytes in reverse order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn reversed(blocks: __m512i) -> __m512i {
    const LOW: i64 = 0x0001_0203_0405_0607;
    const HIGH: i64 = 0x0809_0a0b_0c0d_0e0f;
    _mm512_shuffle_epi8(blocks, _mm512_set_epi64(LOW, HIGH, LOW, HIGH, LOW, HIGH, LOW, HIGH))
}
