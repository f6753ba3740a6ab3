//! The rounds on halves that are numbers already, in the order of the values.

use std::arch::x86_64::{
    _mm512_or_si512, _mm512_permutexvar_epi64, _mm512_setr_epi64, _mm512_slli_epi64, _mm512_srli_epi64,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

use super::narrow::{NarrowBatch, NarrowRounds};
use super::registers::{load_wide, load_words, low_limb, store_wide, store_words};
use super::wide::{Limbs, WideBatch, WideRounds};
use super::{GROUP, LIMB_BITS};
use crate::ff1::portable::{Batch, LANES};

/// Halves below 2^32 (b <= 4).
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,vaes")]
pub(in crate::ff1) fn narrow_halves(
    batch: &Batch<'_>,
    moduli: [u64; 2],
    left: &mut [u64; LANES],
    right: &mut [u64; LANES],
) {
    let rounds = NarrowRounds::new(batch.key.round_keys(), batch.half_bytes, moduli);
    let to_lanes = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    let from_lanes = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    let mut halves = NarrowBatch::new();
    for (registers, numbers) in [(&mut halves.left, &*left), (&mut halves.right, &*right)] {
        for (register, group) in registers.iter_mut().zip(numbers.as_chunks::<GROUP>().0) {
            *register = _mm512_permutexvar_epi64(to_lanes, load_words(group));
        }
    }
    let groups = batch.count.div_ceil(GROUP);
    rounds.run(batch.direction, batch.templates, &mut halves, groups);
    for (registers, numbers) in [(&halves.left, left), (&halves.right, right)] {
        for (register, group) in registers.iter().zip(numbers.as_chunks_mut::<GROUP>().0) {
            store_words(group, _mm512_permutexvar_epi64(from_lanes, *register));
        }
    }
}

/// Halves below 2^96 (b <= 12).
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,vaes")]
pub(in crate::ff1) fn wide_halves(
    batch: &Batch<'_>,
    moduli: [u128; 2],
    left: &mut [u128; LANES],
    right: &mut [u128; LANES],
) {
    const ABOVE: u32 = 64 - LIMB_BITS;
    let rounds = WideRounds::new(batch.key.round_keys(), batch.half_bytes, moduli);
    let mut halves = WideBatch::new();
    for (limbs, numbers) in [(&mut halves.left, &*left), (&mut halves.right, &*right)] {
        for (limbs, group) in limbs.iter_mut().zip(numbers.as_chunks::<GROUP>().0) {
            let [first, second] = load_wide(group);
            let lower = _mm512_unpacklo_epi64(first, second);
            let upper = _mm512_unpackhi_epi64(first, second);
            *limbs = Limbs {
                low: low_limb(lower),
                high: _mm512_or_si512(_mm512_srli_epi64::<LIMB_BITS>(lower), _mm512_slli_epi64::<ABOVE>(upper)),
            };
        }
    }
    let groups = batch.count.div_ceil(GROUP);
    rounds.run(batch.direction, batch.templates, &mut halves, groups);
    for (limbs, numbers) in [(&halves.left, left), (&halves.right, right)] {
        for (limbs, group) in limbs.iter().zip(numbers.as_chunks_mut::<GROUP>().0) {
            let lower = _mm512_or_si512(limbs.low, _mm512_slli_epi64::<LIMB_BITS>(limbs.high));
            let upper = _mm512_srli_epi64::<ABOVE>(limbs.high);
            let first = _mm512_unpacklo_epi64(lower, upper);
            store_wide(group, [first, _mm512_unpackhi_epi64(lower, upper)]);
        }
    }
}
