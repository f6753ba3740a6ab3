//! The Feistel rounds on halves below 2^96 (b <= 12): a half is two limbs of 52 bits, y has 96 or
//! 128 bits.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_cmpge_epi64_mask, _mm512_cmplt_epi64_mask, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_mask_and_epi64, _mm512_mask_mov_epi64, _mm512_mask_sub_epi64, _mm512_or_si512,
    _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_slli_epi64, _mm512_sllv_epi64, _mm512_srai_epi64,
    _mm512_srli_epi64, _mm512_srlv_epi64, _mm512_sub_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
    _mm512_xor_si512,
};

use super::registers::{broadcast, load_blocks, low_limb, words, xor3};
use super::{GROUPS, LIMB_BITS};
use crate::aes::RoundKeys;
use crate::aes::vector::{finish, round_key};
use crate::ff1::tweak::BatchTemplates;
use crate::ff1::{Direction, ROUNDS};

/// Numbers below 2^104 in two limbs. A limb may exceed 52 bits, or be negative, until it is
/// normalized.
#[derive(Clone, Copy)]
pub(super) struct Limbs {
    pub(super) low: __m512i,
    pub(super) high: __m512i,
}

impl Limbs {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn zero() -> Limbs {
        Limbs { low: _mm512_setzero_si512(), high: _mm512_setzero_si512() }
    }

    /// The number, which must be below 2^104, in all lanes.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn broadcast(number: u128) -> Limbs {
        Limbs { low: low_limb(words(number as u64)), high: words((number >> LIMB_BITS) as u64) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn plus(self, other: Limbs) -> Limbs {
        Limbs { low: _mm512_add_epi64(self.low, other.low), high: _mm512_add_epi64(self.high, other.high) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn minus(self, other: Limbs) -> Limbs {
        Limbs { low: _mm512_sub_epi64(self.low, other.low), high: _mm512_sub_epi64(self.high, other.high) }
    }

    /// `self + factor * other` modulo 2^104, for a factor below 2^52.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn plus_product(self, factor: __m512i, other: Limbs) -> Limbs {
        let high = _mm512_madd52hi_epu64(self.high, factor, other.low);
        Limbs {
            low: _mm512_madd52lo_epu64(self.low, factor, other.low),
            high: _mm512_madd52lo_epu64(high, factor, other.high),
        }
    }

    /// Both limbs in 52 bits; the number modulo 2^104.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn normalized(self) -> Limbs {
        let carry = _mm512_srai_epi64::<LIMB_BITS>(self.low);
        Limbs { low: low_limb(self.low), high: low_limb(_mm512_add_epi64(self.high, carry)) }
    }

    /// `self - other` in the lanes where that is not negative, else `self`; both are normalized.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn minus_once(self, other: Limbs) -> Limbs {
        let difference = self.minus(other);
        let zero = _mm512_setzero_si512();
        let borrow = _mm512_cmplt_epi64_mask(difference.low, zero);
        let high = _mm512_mask_sub_epi64(difference.high, borrow, difference.high, words(1));
        let keep = _mm512_cmpge_epi64_mask(high, zero);
        Limbs {
            low: _mm512_mask_and_epi64(self.low, keep, difference.low, words((1 << LIMB_BITS) - 1)),
            high: _mm512_mask_mov_epi64(self.high, keep, high),
        }
    }
}

/// Groups whose AES rounds run in lockstep, two registers each; the best of those measured.
const LOCKSTEP: usize = 1;

/// The halves of a batch.
pub(super) struct WideBatch {
    pub(super) left: [Limbs; GROUPS],
    pub(super) right: [Limbs; GROUPS],
}

impl WideBatch {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn new() -> WideBatch {
        WideBatch { left: [Limbs::zero(); GROUPS], right: [Limbs::zero(); GROUPS] }
    }
}

/// y as the rounds take it from the blocks.
struct Stream {
    /// y modulo 2^104.
    limbs: Limbs,
    /// The 52 uppermost bits of y.
    top: __m512i,
}

/// Reduction modulo one half's domain size m, in one step or two.
///
/// Let y have Y bits. For a divisor c > 2^(Y - 52) the reciprocal floor(2^Y / c) fits 52 bits, and
/// with y's upper 52 bits it gives a quotient above y / c - 3 and at most y / c: what is left is
/// below 3c. If m is too small for that, the first step divides by c = m * 2^s, the least such
/// multiple in range, and the second divides the rest, which has Y - 49 bits, by m.
struct Modulus {
    once: Limbs,
    twice: Limbs,
    thrice: Limbs,
    /// 2^104 - c.
    coarse_complement: Limbs,
    reciprocal: __m512i,
    /// For the second step: whether there is one, the shift that leaves the upper bits of the rest,
    /// and the reciprocal.
    has_second_step: bool,
    rest_shift: __m512i,
    rest_shift_back: __m512i,
    rest_reciprocal: __m512i,
    /// 2^104 - m.
    complement: Limbs,
}

impl Modulus {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(modulus: u128, stream_bits: u32) -> Modulus {
        let least = 1u128 << (stream_bits - LIMB_BITS);
        let mut coarse = modulus;
        while coarse <= least {
            coarse <<= 1;
        }
        // floor(2^Y / c), by way of 2^Y - 1, which is what fits when Y is 128.
        let reciprocal = |bits: u32, divisor: u128| {
            let below = u128::MAX >> (128 - bits);
            (below / divisor + u128::from(below % divisor == divisor - 1)) as u64
        };
        let rest_shift = (stream_bits - 49).saturating_sub(LIMB_BITS);
        let full = 1u128 << (2 * LIMB_BITS);
        Modulus {
            once: Limbs::broadcast(modulus),
            twice: Limbs::broadcast(2 * modulus),
            thrice: Limbs::broadcast(3 * modulus),
            coarse_complement: Limbs::broadcast(full - coarse),
            reciprocal: words(reciprocal(stream_bits, coarse)),
            has_second_step: coarse != modulus,
            rest_shift: words(u64::from(rest_shift)),
            rest_shift_back: words(u64::from(LIMB_BITS - rest_shift)),
            rest_reciprocal: words(reciprocal(LIMB_BITS + rest_shift, modulus)),
            complement: Limbs::broadcast(full - modulus),
        }
    }

    /// `half + y` or `half - y` modulo m.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn combine<const DECRYPT: bool>(&self, half: Limbs, y: &Stream) -> Limbs {
        let zero = _mm512_setzero_si512();
        let mut rest = y.limbs;
        let mut quotient = _mm512_madd52hi_epu64(zero, y.top, self.reciprocal);
        if self.has_second_step {
            rest = rest.plus_product(quotient, self.coarse_complement).normalized();
            let top = _mm512_or_si512(
                _mm512_srlv_epi64(rest.low, self.rest_shift),
                _mm512_sllv_epi64(rest.high, self.rest_shift_back),
            );
            quotient = _mm512_madd52hi_epu64(zero, top, self.rest_reciprocal);
        }
        let sum = if DECRYPT {
            half.plus(self.thrice).minus(rest).plus_product(quotient, self.once)
        } else {
            half.plus(rest).plus_product(quotient, self.complement)
        };
        // In [0, 4m).
        sum.normalized().minus_once(self.twice).minus_once(self.once)
    }
}

/// The ten rounds for values of one radix and length under one key.
pub(super) struct WideRounds<'k> {
    keys: &'k RoundKeys,
    half_bytes: usize,
    moduli: [Modulus; 2],
    /// Reverses the bytes of each block.
    reverse: __m512i,
    /// From a block: the lower 64 bits of y into its first lane, the upper 64 into its second.
    block_to_words: __m512i,
    /// Bits that the two share.
    overlap: __m512i,
}

impl<'k> WideRounds<'k> {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn new(keys: &'k RoundKeys, half_bytes: usize, moduli: [u128; 2]) -> Self {
        let stream_bytes = if half_bytes > 8 { 16 } else { 12 };
        let stream_bits = 8 * stream_bytes;
        let mut block_to_words = [0; 16];
        for byte in 0..8 {
            block_to_words[byte] = stream_bytes as u8 - 1 - byte as u8;
            block_to_words[8 + byte] = 7 - byte as u8;
        }
        WideRounds {
            keys,
            half_bytes,
            moduli: [Modulus::new(moduli[0], stream_bits), Modulus::new(moduli[1], stream_bits)],
            reverse: broadcast(&[15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
            block_to_words: broadcast(&block_to_words),
            overlap: words(u64::from(128 - stream_bits)),
        }
    }

    /// Runs the rounds on the first `groups` groups; further ones may change. If the values share a
    /// tweak, only the first template is looked at.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,vaes")]
    pub(super) fn run(&self, direction: Direction, templates: &BatchTemplates, halves: &mut WideBatch, groups: usize) {
        match (direction, templates.each) {
            (Direction::Encrypt, false) => self.all_rounds::<false, false>(templates, halves, groups),
            (Direction::Encrypt, true) => self.all_rounds::<false, true>(templates, halves, groups),
            (Direction::Decrypt, false) => self.all_rounds::<true, false>(templates, halves, groups),
            (Direction::Decrypt, true) => self.all_rounds::<true, true>(templates, halves, groups),
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,vaes")]
    fn all_rounds<const DECRYPT: bool, const EACH: bool>(
        &self,
        templates: &BatchTemplates,
        halves: &mut WideBatch,
        groups: usize,
    ) {
        let WideBatch { left, right } = halves;
        for step in 0..ROUNDS / 2 {
            if DECRYPT {
                let round = ROUNDS - 2 - 2 * step;
                self.round::<DECRYPT, EACH>(round + 1, templates, left, right, groups);
                self.round::<DECRYPT, EACH>(round, templates, right, left, groups);
            } else {
                let round = 2 * step;
                self.round::<DECRYPT, EACH>(round, templates, right, left, groups);
                self.round::<DECRYPT, EACH>(round + 1, templates, left, right, groups);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,vaes")]
    fn round<const DECRYPT: bool, const EACH: bool>(
        &self,
        round: usize,
        templates: &BatchTemplates,
        source: &[Limbs; GROUPS],
        target: &mut [Limbs; GROUPS],
        groups: usize,
    ) {
        let modulus = &self.moduli[round % 2];
        let mut round_block = [0; 16];
        round_block[15 - self.half_bytes] = round as u8;
        let round_block = broadcast(&round_block);
        let shared = if EACH { round_block } else { _mm512_xor_si512(round_block, broadcast(&templates.blocks[0])) };
        let first_key = round_key(self.keys, 0);
        let (template_rows, _) = templates.blocks.as_chunks::<4>();
        let (template_rows, _) = template_rows.as_chunks::<{ 2 * LOCKSTEP }>();
        let (sources, _) = source.as_chunks::<LOCKSTEP>();
        let (targets, _) = target.as_chunks_mut::<LOCKSTEP>();
        let sets = groups.div_ceil(LOCKSTEP);
        for ((source, target), rows) in sources.iter().zip(targets).zip(template_rows).take(sets) {
            let mut blocks = [_mm512_setzero_si512(); 2 * LOCKSTEP];
            for group in 0..LOCKSTEP {
                let Limbs { low, high } = source[group];
                let lower = _mm512_or_si512(low, _mm512_slli_epi64::<LIMB_BITS>(high));
                let upper = _mm512_srli_epi64::<{ 64 - LIMB_BITS }>(high);
                let even = _mm512_shuffle_epi8(_mm512_unpacklo_epi64(lower, upper), self.reverse);
                let odd = _mm512_shuffle_epi8(_mm512_unpackhi_epi64(lower, upper), self.reverse);
                blocks[2 * group] = xor3(even, shared, first_key);
                blocks[2 * group + 1] = xor3(odd, shared, first_key);
            }
            if EACH {
                for (block, row) in blocks.iter_mut().zip(rows) {
                    *block = _mm512_xor_si512(*block, load_blocks(row));
                }
            }
            let blocks = finish(self.keys, blocks);
            for group in 0..LOCKSTEP {
                let stream = self.stream(blocks[2 * group], blocks[2 * group + 1]);
                target[group] = modulus.combine::<DECRYPT>(target[group], &stream);
            }
        }
    }

    /// y from the blocks of the even lanes and those of the odd lanes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn stream(&self, even: __m512i, odd: __m512i) -> Stream {
        let even = _mm512_shuffle_epi8(even, self.block_to_words);
        let odd = _mm512_shuffle_epi8(odd, self.block_to_words);
        let lower = _mm512_unpacklo_epi64(even, odd);
        let upper = _mm512_unpackhi_epi64(even, odd);
        let above = _mm512_slli_epi64::<{ 64 - LIMB_BITS }>(_mm512_srlv_epi64(upper, self.overlap));
        Stream {
            limbs: Limbs { low: low_limb(lower), high: _mm512_or_si512(_mm512_srli_epi64::<LIMB_BITS>(lower), above) },
            top: _mm512_srli_epi64::<{ 64 - LIMB_BITS }>(upper),
        }
    }
}
