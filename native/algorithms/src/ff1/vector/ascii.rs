//! From characters to characters: parse, ten rounds and print, a batch at a time.

use std::arch::x86_64::{
    __m512i, _MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch, _mm512_or_si512, _mm512_permutex2var_epi64, _mm512_setr_epi64,
    _mm512_setzero_si512, _mm512_shuffle_i64x2, _mm512_slli_epi64, _mm512_srli_epi64, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi64,
};

use super::decimal::DecimalSlots;
use super::narrow::{NarrowBatch, NarrowRounds};
use super::registers::{load, low_limb, store};
use super::text::TextSlots;
use super::wide::{Limbs, WideBatch, WideRounds};
use super::{GROUP, LIMB_BITS};
use crate::aes::AesKey;
use crate::ff1::portable::{Batch, LANES};

/// Registers of characters in a full batch, in the larger slots.
const BATCH_REGISTERS: usize = 32 * LANES / 64;

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
    /// Whether the alphabet is the ten digits and the values have at most 16 of them.
    pub(in crate::ff1) is_decimal: bool,
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
    Narrow(Box<NarrowRounds<'k>>, Box<NarrowBatch>),
    Wide(Box<WideRounds<'k>>, Box<WideBatch>),
}

impl<'k> AsciiRounds<'k> {
    /// Values of at most 32 characters.
    #[target_feature(enable = "avx512f")]
    pub(in crate::ff1) fn new(key: &'k AesKey, writing: Writing<'_>) -> Self {
        let Writing { radix, half_lengths, half_bytes, moduli, numerals, characters, is_decimal } = writing;
        let slots = if is_decimal {
            Slots::Decimal(DecimalSlots::new(half_lengths))
        } else if half_lengths[1] > 8 {
            Slots::Long(TextSlots::new(radix, half_lengths, 16, numerals, characters))
        } else {
            Slots::Short(TextSlots::new(radix, half_lengths, 8, numerals, characters))
        };
        let keys = key.round_keys();
        let rounds = if half_bytes <= 4 {
            let rounds = NarrowRounds::new(keys, half_bytes, moduli.map(|modulus| modulus as u64));
            Rounds::Narrow(Box::new(rounds), Box::new(NarrowBatch::new()))
        } else {
            let rounds = WideRounds::new(keys, half_bytes, moduli);
            Rounds::Wide(Box::new(rounds), Box::new(WideBatch::new()))
        };
        AsciiRounds { slots, rounds, padding: characters[0] }
    }

    /// Transforms `batch.count` values and names the lanes, in ascending order, that have a character
    /// outside the alphabet; what those give is unspecified.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,avx512vbmi,vaes")]
    pub(in crate::ff1) fn run(
        &mut self,
        batch: &Batch<'_>,
        source: &[u8],
        target: &mut [u8],
        report: impl FnMut(usize),
    ) {
        prefetch::<_MM_HINT_T0>(source.as_ptr_range().end, source.len());
        prefetch::<_MM_HINT_ET0>(target.as_ptr_range().end, target.len());
        let AsciiRounds { slots, rounds, padding } = self;
        let size = slots.bytes() / 8;
        let full = batch.count / GROUP * 64 * size;
        let groups = batch.count.div_ceil(GROUP);
        // A last, partial group goes through buffers: whole registers would leave the slices.
        let mut last_source = [[*padding; 64]; 4];
        let mut last_target = [[0; 64]; 4];
        last_source.as_flattened_mut()[..source.len() - full].copy_from_slice(&source[full..]);
        let sources = source[..full].as_chunks::<64>().0.chunks_exact(size);
        let sources = sources.chain(last_source.chunks_exact(size).take(groups - batch.count / GROUP));
        let (target, last) = target.split_at_mut(full);
        let targets = target.as_chunks_mut::<64>().0.chunks_exact_mut(size);
        let targets = targets.chain(last_target.chunks_exact_mut(size).take(1));
        let mut invalid = [0; BATCH_REGISTERS];
        let sources = sources.zip(invalid.chunks_exact_mut(size));
        match rounds {
            Rounds::Narrow(rounds, halves) => {
                let pairs = halves.left.iter_mut().zip(&mut halves.right);
                for ((left, right), (source, invalid)) in pairs.zip(sources) {
                    [*left, *right] = slots.parse_narrow(source, invalid);
                }
                rounds.run(batch.direction, batch.templates, halves, groups);
                let pairs = halves.left.iter().zip(&halves.right);
                for ((&left, &right), target) in pairs.zip(targets).take(groups) {
                    slots.print_narrow([left, right], target);
                }
            }
            Rounds::Wide(rounds, halves) => {
                let pairs = halves.left.iter_mut().zip(&mut halves.right);
                for ((left, right), (source, invalid)) in pairs.zip(sources) {
                    [*left, *right] = slots.parse_wide(source, invalid);
                }
                rounds.run(batch.direction, batch.templates, halves, groups);
                let pairs = halves.left.iter().zip(&halves.right);
                for ((&left, &right), target) in pairs.zip(targets).take(groups) {
                    slots.print_wide([left, right], target);
                }
            }
        }
        last.copy_from_slice(&last_target.as_flattened()[..last.len()]);
        slots.report(&invalid, report);
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

    /// Names the lanes that have an invalid byte.
    fn report(&self, invalid: &[u64], mut report: impl FnMut(usize)) {
        if invalid.iter().fold(0, |any, mask| any | mask) == 0 {
            return;
        }
        let slot = self.bytes();
        let slot_mask = u64::MAX >> (64 - slot);
        for (register, mask) in invalid.iter().enumerate() {
            for index in 0..64 / slot {
                if mask >> (slot * index) & slot_mask != 0 {
                    report(register * (64 / slot) + index);
                }
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

/// Asks for the bytes from `start` on, which the next batch is likely to read or, with another hint, to write: they
/// arrive while the rounds of this one run.
#[inline]
fn prefetch<const HINT: i32>(start: *const u8, length: usize) {
    for line in (0..length).step_by(64) {
        // SAFETY: a prefetch has no effect that a program can see, and never faults, whatever the address.
        unsafe { _mm_prefetch::<HINT>(start.wrapping_add(line).cast()) };
    }
}
