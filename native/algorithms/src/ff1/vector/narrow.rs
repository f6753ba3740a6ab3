//! The Feistel rounds on halves below 2^32 (b <= 4): a half is one lane, y has 64 bits.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_min_epu64, _mm512_setzero_si512,
    _mm512_shuffle_epi8, _mm512_srli_epi64, _mm512_sub_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use super::registers::{broadcast, load_blocks, low_limb, words, xor3};
use super::{GROUPS, LIMB_BITS};
use crate::aes::RoundKeys;
use crate::aes::vector::{finish, round_key};
use crate::ff1::tweak::BatchTemplates;
use crate::ff1::{Direction, ROUNDS};

/// Groups whose AES rounds run in lockstep, two registers each; the best of those measured.
const LOCKSTEP: usize = 2;

/// The halves of a batch, a register a group.
pub(super) struct NarrowBatch {
    pub(super) left: [__m512i; GROUPS],
    pub(super) right: [__m512i; GROUPS],
}

impl NarrowBatch {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn new() -> NarrowBatch {
        let zero = _mm512_setzero_si512();
        NarrowBatch { left: [zero; GROUPS], right: [zero; GROUPS] }
    }
}

/// Reduction modulo one half's domain size.
///
/// For a modulus m in (2^12, 2^32] the quotient estimate floor(floor(y / 2^12) * floor(2^64 / m) /
/// 2^52) is above y / m - 3 and at most y / m, so one step leaves [0, 3m). A smaller modulus is
/// reduced by a multiple of it in that range first, then by itself: again less than 3m.
struct Modulus {
    modulus: __m512i,
    twice: __m512i,
    thrice: __m512i,
    /// 2^52 - c, where c is m, or its multiple.
    complement: __m512i,
    /// floor(2^64 / c).
    reciprocal: __m512i,
    /// For the second step: whether there is one, 2^52 - m, and floor(2^52 / m).
    is_small: bool,
    small_complement: __m512i,
    small_reciprocal: __m512i,
}

impl Modulus {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(modulus: u64) -> Modulus {
        let is_small = modulus <= 1 << 12;
        let mut coarse = modulus;
        while coarse <= 1 << 12 {
            coarse <<= 1;
        }
        Modulus {
            modulus: words(modulus),
            twice: words(2 * modulus),
            thrice: words(3 * modulus),
            complement: words((1 << LIMB_BITS) - coarse),
            reciprocal: words(((1u128 << 64) / u128::from(coarse)) as u64),
            is_small,
            small_complement: words((1 << LIMB_BITS) - modulus),
            small_reciprocal: words((1 << LIMB_BITS) / modulus),
        }
    }

    /// A number congruent to y in [0, 3m).
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn reduce(&self, y: __m512i) -> __m512i {
        let zero = _mm512_setzero_si512();
        let quotient = _mm512_madd52hi_epu64(zero, _mm512_srli_epi64::<12>(y), self.reciprocal);
        let rest = low_limb(_mm512_madd52lo_epu64(y, quotient, self.complement));
        if !self.is_small {
            return rest;
        }
        let quotient = _mm512_madd52hi_epu64(zero, rest, self.small_reciprocal);
        low_limb(_mm512_madd52lo_epu64(rest, quotient, self.small_complement))
    }

    /// `half + y` or `half - y` modulo m.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn combine<const DECRYPT: bool>(&self, half: __m512i, y: __m512i) -> __m512i {
        let y = self.reduce(y);
        let sum =
            if DECRYPT { _mm512_sub_epi64(_mm512_add_epi64(half, self.thrice), y) } else { _mm512_add_epi64(half, y) };
        // In [0, 4m); the smaller of x and x - c, taken as unsigned, is the one in range.
        let sum = _mm512_min_epu64(sum, _mm512_sub_epi64(sum, self.twice));
        _mm512_min_epu64(sum, _mm512_sub_epi64(sum, self.modulus))
    }
}

/// The ten rounds for values of one radix and length under one key.
pub(super) struct NarrowRounds<'k> {
    keys: &'k RoundKeys,
    half_bytes: usize,
    moduli: [Modulus; 2],
    /// The even or the odd lanes, each as a big-endian number in the lower half of a block.
    even_to_blocks: __m512i,
    odd_to_blocks: __m512i,
    /// Reverses the bytes of each lane.
    reverse: __m512i,
}

impl<'k> NarrowRounds<'k> {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn new(keys: &'k RoundKeys, half_bytes: usize, moduli: [u64; 2]) -> Self {
        const Z: u8 = 0x80;
        NarrowRounds {
            keys,
            half_bytes,
            moduli: [Modulus::new(moduli[0]), Modulus::new(moduli[1])],
            even_to_blocks: broadcast(&[Z, Z, Z, Z, Z, Z, Z, Z, 7, 6, 5, 4, 3, 2, 1, 0]),
            odd_to_blocks: broadcast(&[Z, Z, Z, Z, Z, Z, Z, Z, 15, 14, 13, 12, 11, 10, 9, 8]),
            reverse: broadcast(&[7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8]),
        }
    }

    /// Runs the rounds on the first `groups` groups; further ones may change. If the values share a
    /// tweak, only the first template is looked at.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512ifma,vaes")]
    pub(super) fn run(
        &self,
        direction: Direction,
        templates: &BatchTemplates,
        halves: &mut NarrowBatch,
        groups: usize,
    ) {
        match (direction, templates.each) {
            (Direction::Encrypt, false) => self.all_rounds::<false, false>(templates, halves, groups),
            (Direction::Encrypt, true) => self.all_rounds::<false, true>(templates, halves, groups),
            (Direction::Decrypt, false) => self.all_rounds::<true, false>(templates, halves, groups),
            (Direction::Decrypt, true) => self.all_rounds::<true, true>(templates, halves, groups),
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512ifma,vaes")]
    fn all_rounds<const DECRYPT: bool, const EACH: bool>(
        &self,
        templates: &BatchTemplates,
        halves: &mut NarrowBatch,
        groups: usize,
    ) {
        let NarrowBatch { left, right } = halves;
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
    #[target_feature(enable = "avx512f,avx512bw,avx512ifma,vaes")]
    fn round<const DECRYPT: bool, const EACH: bool>(
        &self,
        round: usize,
        templates: &BatchTemplates,
        source: &[__m512i; GROUPS],
        target: &mut [__m512i; GROUPS],
        groups: usize,
    ) {
        let modulus = &self.moduli[round % 2];
        let mut round_block = [0; 16];
        round_block[15 - self.half_bytes] = round as u8;
        let round_block = broadcast(&round_block);
        let shared = if EACH { round_block } else { _mm512_xor_si512(round_block, broadcast(&templates.blocks[0])) };
        let first_key = round_key(self.keys, 0);
        let (template_rows, _) = templates.blocks.as_chunks::<4>();
        let (sources, _) = source.as_chunks::<LOCKSTEP>();
        let (targets, _) = target.as_chunks_mut::<LOCKSTEP>();
        let (template_rows, _) = template_rows.as_chunks::<{ 2 * LOCKSTEP }>();
        let sets = groups.div_ceil(LOCKSTEP);
        for ((source, target), rows) in sources.iter().zip(targets).zip(template_rows).take(sets) {
            let mut blocks = [_mm512_setzero_si512(); 2 * LOCKSTEP];
            for group in 0..LOCKSTEP {
                let even = _mm512_shuffle_epi8(source[group], self.even_to_blocks);
                let odd = _mm512_shuffle_epi8(source[group], self.odd_to_blocks);
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
                let first_words = _mm512_unpacklo_epi64(blocks[2 * group], blocks[2 * group + 1]);
                let y = _mm512_shuffle_epi8(first_words, self.reverse);
                target[group] = modulus.combine::<DECRYPT>(target[group], y);
            }
        }
    }
}
