//! From characters to characters: parse, ten rounds and print, a batch at a time.

use std::arch::x86_64::{
    __m512i, _mm512_or_si512, _mm512_permutex2var_epi64, _mm512_setr_epi64, _mm512_setzero_si512, _mm512_shuffle_i64x2,
    _mm512_slli_epi64, _mm512_srli_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

use super::decimal::DecimalSlots;
use super::narrow::{NarrowBatch, NarrowRounds};
use super::registers::{load, low_limb, store};
use super::text::TextSlots;
use super::wide::{Limbs, WideBatch, WideRounds};
use super::{GROUP, LIMB_BITS};
use crate::aes::AesKey;
use crate::ff1::portable::{Batch, LANES};

/// Bytes of a full batch in the larger slots.
const BATCH_BYTES: usize = 32 * LANES;

/// How the values of one call are written.
#[derive(Clone, Copy)]
pub(in crate::ff1) struct Writing<'a> {
    pub(in crate::ff1) radix: u32,
    pub(in crate::ff1) half_lengths: [usize; 2],
    /// b.
    pub(in crate::ff1) half_bytes: usize,
    /// radix^u and radix^v, at most 2^96.
    pub(in crate::ff1) moduli: [u128; 2],
    /// 255 for a byte that is not in the alphabet.
    pub(in crate::ff1) numerals: &'a [u8; 256],
    /// The character of each numeral.
    pub(in crate::ff1) characters: &'a [u8; 128],
}

/// Parse, rounds and print for values of one radix and length under one key.
pub(in crate::ff1) struct AsciiRounds<'k> {
    slots: Slots,
    rounds: Rounds<'k>,
    padding: u8,
}

enum Slots {
    /// The ten digits in 16 bytes.
    Decimal(DecimalSlots),
    /// Any alphabet in 16 bytes: an octet a half.
    Short(TextSlots),
    /// Any alphabet in 32 bytes: two octets a half.
    Long(TextSlots),
}

enum Rounds<'k> {
    Narrow(NarrowRounds<'k>),
    Wide(WideRounds<'k>),
}

impl<'k> AsciiRounds<'k> {
    /// Values of at most 32 characters.
    #[target_feature(enable = "avx512f")]
    pub(in crate::ff1) fn new(key: &'k AesKey, writing: Writing<'_>) -> Self {
        let Writing { radix, half_lengths, half_bytes, moduli, numerals, characters } = writing;
        let slots = if half_lengths[1] > 8 {
            Slots::Long(TextSlots::new(radix, half_lengths, 16, numerals, characters))
        } else if characters[..10] == *b"0123456789" && radix == 10 {
            Slots::Decimal(DecimalSlots::new(half_lengths))
        } else {
            Slots::Short(TextSlots::new(radix, half_lengths, 8, numerals, characters))
        };
        let keys = key.round_keys();
        let rounds = if half_bytes <= 4 {
            let moduli = moduli.map(|modulus| modulus as u64);
            Rounds::Narrow(NarrowRounds::new(keys, half_bytes, moduli))
        } else {
            Rounds::Wide(WideRounds::new(keys, half_bytes, moduli))
        };
        AsciiRounds { slots, rounds, padding: characters[0] }
    }

    /// Transforms `batch.count` values and says which have a character outside the alphabet; what
    /// those give is unspecified.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,avx512vbmi,vaes")]
    pub(in crate::ff1) fn run(&self, batch: &Batch<'_>, source: &[u8], target: &mut [u8], invalid: &mut [bool; LANES]) {
        let slot = self.slots.bytes();
        let size = batch.count * slot;
        if batch.count == LANES {
            let (registers, _) = source.as_chunks::<64>();
            let (targets, _) = target.as_chunks_mut::<64>();
            self.run_registers(batch, registers, targets, invalid);
        } else {
            // Reading and writing whole registers of a part of a batch would leave the slices.
            let mut padded = [self.padding; BATCH_BYTES];
            let mut result = [0; BATCH_BYTES];
            padded[..size].copy_from_slice(&source[..size]);
            let (registers, _) = padded.as_chunks::<64>();
            let (targets, _) = result.as_chunks_mut::<64>();
            self.run_registers(batch, registers, targets, invalid);
            target[..size].copy_from_slice(&result[..size]);
        }
    }

    /// The same on whole registers, as many as a full batch has, or more.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,avx512vbmi,vaes")]
    fn run_registers(
        &self,
        batch: &Batch<'_>,
        source: &[[u8; 64]],
        target: &mut [[u8; 64]],
        invalid: &mut [bool; LANES],
    ) {
        let groups = batch.count.div_ceil(GROUP);
        let size = self.slots.bytes() / 8;
        let (sources, targets) = (source.chunks_exact(size), target.chunks_exact_mut(size));
        let mut invalid_bytes = [0; BATCH_BYTES / 64];
        let masks = invalid_bytes.chunks_exact_mut(size);
        let groups_in = sources.zip(masks).take(groups);
        match &self.rounds {
            Rounds::Narrow(rounds) => {
                let mut halves = NarrowBatch::new();
                for (index, (source, masks)) in groups_in.enumerate() {
                    let [left, right] = self.slots.parse_narrow(source, masks);
                    (halves.left[index], halves.right[index]) = (left, right);
                }
                rounds.run(batch.direction, batch.templates, &mut halves, groups);
                for (index, target) in targets.take(groups).enumerate() {
                    self.slots.print_narrow([halves.left[index], halves.right[index]], target);
                }
            }
            Rounds::Wide(rounds) => {
                let mut halves = WideBatch::new();
                for (index, (source, masks)) in groups_in.enumerate() {
                    let [left, right] = self.slots.parse_wide(source, masks);
                    (halves.left[index], halves.right[index]) = (left, right);
                }
                rounds.run(batch.direction, batch.templates, &mut halves, groups);
                for (index, target) in targets.take(groups).enumerate() {
                    self.slots.print_wide([halves.left[index], halves.right[index]], target);
                }
            }
        }
        self.slots.report(&invalid_bytes, invalid);
    }
}

impl Slots {
    /// Bytes of a slot.
    fn bytes(&self) -> usize {
        match self {
            Slots::Decimal(_) | Slots::Short(_) => 16,
            Slots::Long(_) => 32,
        }
    }

    /// Marks the values that have an invalid byte.
    fn report(&self, invalid_bytes: &[u64], invalid: &mut [bool; LANES]) {
        if invalid_bytes.iter().fold(0, |any, mask| any | mask) == 0 {
            return;
        }
        let slot = self.bytes();
        let slot_mask = u64::MAX >> (64 - slot);
        for (mask, values) in invalid_bytes.iter().zip(invalid.chunks_exact_mut(64 / slot)) {
            for (index, value) in values.iter_mut().enumerate() {
                *value = mask >> (slot * index) & slot_mask != 0;
            }
        }
    }

    /// The left and the right octets of a group in small slots.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn parse_octets(&self, source: &[[u8; 64]], invalid: &mut [u64]) -> [__m512i; 2] {
        let mut octets = [_mm512_setzero_si512(); 2];
        for ((octets, source), invalid) in octets.iter_mut().zip(source).zip(invalid) {
            (*octets, *invalid) = match self {
                Slots::Decimal(slots) => slots.parse(load(source)),
                Slots::Short(slots) | Slots::Long(slots) => slots.parse(load(source)),
            };
        }
        let [first, second] = octets;
        [_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second)]
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
    fn print_octets(&self, [left, right]: [__m512i; 2], target: &mut [[u8; 64]]) {
        let first = _mm512_unpacklo_epi64(left, right);
        let octets = [first, _mm512_unpackhi_epi64(left, right)];
        for (octets, target) in octets.into_iter().zip(target) {
            let characters = match self {
                Slots::Decimal(slots) => slots.print(octets),
                Slots::Short(slots) | Slots::Long(slots) => slots.print(octets),
            };
            store(target, characters);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
    fn parse_narrow(&self, source: &[[u8; 64]], invalid: &mut [u64]) -> [__m512i; 2] {
        match self {
            Slots::Decimal(_) | Slots::Short(_) => self.parse_octets(source, invalid),
            Slots::Long(slots) => parse_long(slots, source, invalid).map(|half| half.low),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,avx512vbmi")]
    fn print_narrow(&self, halves: [__m512i; 2], target: &mut [[u8; 64]]) {
        match self {
            Slots::Decimal(_) | Slots::Short(_) => self.print_octets(halves, target),
            Slots::Long(slots) => {
                let high = _mm512_setzero_si512();
                print_long(slots, halves.map(|low| Limbs { low, high }), target);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
    fn parse_wide(&self, source: &[[u8; 64]], invalid: &mut [u64]) -> [Limbs; 2] {
        match self {
            Slots::Decimal(_) | Slots::Short(_) => self
                .parse_octets(source, invalid)
                .map(|octet| Limbs { low: low_limb(octet), high: _mm512_srli_epi64::<LIMB_BITS>(octet) }),
            Slots::Long(slots) => parse_long(slots, source, invalid),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,avx512vbmi")]
    fn print_wide(&self, halves: [Limbs; 2], target: &mut [[u8; 64]]) {
        match self {
            Slots::Decimal(_) | Slots::Short(_) => {
                let octets = halves.map(|half| _mm512_or_si512(half.low, _mm512_slli_epi64::<LIMB_BITS>(half.high)));
                self.print_octets(octets, target);
            }
            Slots::Long(slots) => print_long(slots, halves, target),
        }
    }
}

/// The halves of a group in large slots: each register has two values, and of each value four
/// octets, left high, left low, right high, right low.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
fn parse_long(slots: &TextSlots, source: &[[u8; 64]], invalid: &mut [u64]) -> [Limbs; 2] {
    let mut octets = [_mm512_setzero_si512(); 4];
    for ((octets, source), invalid) in octets.iter_mut().zip(source).zip(invalid) {
        (*octets, *invalid) = slots.parse(load(source));
    }
    // Values 0, 4, 1, 5 and 2, 6, 3, 7, each left then right.
    let [a, b, c, d] = octets;
    let high = [_mm512_unpacklo_epi64(a, c), _mm512_unpacklo_epi64(b, d)];
    let low = [_mm512_unpackhi_epi64(a, c), _mm512_unpackhi_epi64(b, d)];
    let left = [high, low].map(|[first, second]| _mm512_shuffle_i64x2::<0x88>(first, second));
    let right = [high, low].map(|[first, second]| _mm512_shuffle_i64x2::<0xdd>(first, second));
    [slots.join(left), slots.join(right)]
}

/// The way back.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,avx512vbmi")]
fn print_long(slots: &TextSlots, halves: [Limbs; 2], target: &mut [[u8; 64]]) {
    let first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    let second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    let [left, right] = halves.map(|half| slots.split(half));
    let high = [first, second].map(|order| _mm512_permutex2var_epi64(left[0], order, right[0]));
    let low = [first, second].map(|order| _mm512_permutex2var_epi64(left[1], order, right[1]));
    let octets = [
        _mm512_unpacklo_epi64(high[0], low[0]),
        _mm512_unpacklo_epi64(high[1], low[1]),
        _mm512_unpackhi_epi64(high[0], low[0]),
        _mm512_unpackhi_epi64(high[1], low[1]),
    ];
    for (octets, target) in octets.into_iter().zip(target) {
        store(target, slots.print(octets));
    }
}
