//! Values with halves of 97 to 512 bits: read, ten rounds and spelled, [`LONG_GROUPS`] groups at a
//! time.
//!
//! A half is read and spelled in *digits*: as many numerals as make a base below 2^52. The first
//! digit has what numerals are left over.

use std::arch::x86_64::{
    __m512i, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_sllv_epi64, _mm512_ternarylogic_epi64,
};
use std::ops::Range;

use super::limbs::{Base, Number, append, split};
use super::long::{LONG_GROUPS, LongHalves, LongRounds, MAXIMUM_HALF_BYTES};
use super::registers::{load, load_words, store, store_words, words};
use super::text::TextSlots;
use super::{GROUP, LIMB_BITS};
use crate::ff1::numeration::Numeration;
use crate::ff1::parameters::Parameters;
use crate::ff1::portable::Batch;

/// Digits of the longest half: 512 bits in digits of eight characters of one bit each.
const MAXIMUM_DIGITS: usize = 64;
/// Values that go through the rounds together.
pub(in crate::ff1) const LONG_LANES: usize = LONG_GROUPS * GROUP;
/// The value in each lane of a group.
const VALUE_OF_LANE: [usize; GROUP] = [0, 4, 1, 5, 2, 6, 3, 7];

/// Groups that are read and spelled together.
const TOGETHER: usize = 4;

/// Calls the code for d.
macro_rules! by_stream_bytes {
    ($path:expr, $method:ident($($argument:expr),*)) => {
        match $path.half_bytes.div_ceil(4) + 1 {
            ..=5 => $path.$method::<5, 4>($($argument),*),
            6 => $path.$method::<6, 4>($($argument),*),
            7 => $path.$method::<7, 5>($($argument),*),
            8 => $path.$method::<8, 5>($($argument),*),
            9 => $path.$method::<9, 6>($($argument),*),
            10 => $path.$method::<10, 7>($($argument),*),
            11 => $path.$method::<11, 7>($($argument),*),
            12 => $path.$method::<12, 8>($($argument),*),
            13 => $path.$method::<13, 8>($($argument),*),
            14 => $path.$method::<14, 9>($($argument),*),
            15 => $path.$method::<15, 10>($($argument),*),
            16 => $path.$method::<16, 10>($($argument),*),
            _ => $path.$method::<17, 11>($($argument),*),
        }
    };
}

/// What depends on radix and length only.
pub(in crate::ff1) struct LongPath {
    rounds: LongRounds,
    half_lengths: [usize; 2],
    half_bytes: usize,
    /// For values in numerals.
    numerals: Digits,
    /// For values in characters, of which a register takes eight a lane.
    characters: Digits,
}

/// How numerals make digits.
struct Digits {
    /// Numerals in every digit but the first.
    size: usize,
    base: Base,
}

impl Digits {
    fn new(radix: u32, most: usize) -> Digits {
        let radix = u64::from(radix);
        let fits = |&size: &usize| radix.checked_pow(size as u32).is_some_and(|base| base < 1 << LIMB_BITS);
        let size = (1..=most).take_while(fits).last().unwrap_or(1);
        Digits { size, base: Base::new(radix.pow(size as u32)) }
    }

    /// The digits of a half.
    fn count(&self, length: usize) -> usize {
        length.div_ceil(self.size)
    }

    /// The numerals of the first digit.
    fn first(&self, length: usize) -> usize {
        length - self.size * (self.count(length) - 1)
    }

    /// The numbers that the digits make.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn read<const N: usize>(&self, digits: &[[__m512i; TOGETHER]], numbers: &mut [Number<N>; TOGETHER]) {
        *numbers = [Number::zero(); TOGETHER];
        for (index, digits) in digits.iter().enumerate() {
            append(numbers, &self.base, digits, self.base.limbs(index + 1));
        }
    }

    /// The digits that make the numbers, which are used up.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn spell<const N: usize>(&self, numbers: &mut [Number<N>; TOGETHER], digits: &mut [[__m512i; TOGETHER]]) {
        for (index, digits) in digits.iter_mut().enumerate().rev() {
            *digits = match index {
                0 => numbers.map(|number| number.0[0]),
                _ => split(numbers, &self.base, self.base.limbs(index + 1)),
            };
        }
    }
}

/// The characters of one alphabet.
pub(in crate::ff1) struct LongText {
    slots: TextSlots,
    /// The first character, eight times over.
    padding: u64,
}

impl LongText {
    /// `numerals` gives 255 for a character that is not in the alphabet.
    #[target_feature(enable = "avx512f")]
    pub(in crate::ff1) fn new(radix: u32, numerals: &[u8; 256], characters: &[u8; 128]) -> LongText {
        LongText {
            slots: TextSlots::new(radix, [8, 8], 8, numerals, characters),
            padding: u64::from_le_bytes([characters[0]; 8]),
        }
    }
}

/// Where the characters of a digit are in the eight bytes that are loaded for it.
#[derive(Clone, Copy)]
struct Place {
    /// The first of the eight bytes.
    position: usize,
    /// The bits of shift that move the characters to the end of the eight bytes.
    shift: u32,
    /// The bits of padding at their start.
    padding: u32,
}

impl LongPath {
    /// None if the halves are not of 97 to 512 bits.
    pub(in crate::ff1) fn new(parameters: &Parameters) -> Option<LongPath> {
        (12 < parameters.half_bytes() && parameters.half_bytes() <= MAXIMUM_HALF_BYTES).then(|| LongPath {
            rounds: LongRounds::new(parameters),
            half_lengths: parameters.half_lengths(),
            half_bytes: parameters.half_bytes(),
            numerals: Digits::new(parameters.radix(), usize::MAX),
            characters: Digits::new(parameters.radix(), 8),
        })
    }

    /// Transforms at most [`LONG_LANES`] values in place.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,avx512vbmi,vaes")]
    pub(in crate::ff1) fn apply_numerals(&self, batch: &Batch<'_>, numeration: &Numeration, values: &mut [u16]) {
        by_stream_bytes!(self, numerals(batch, numeration, values));
    }

    /// Transforms the values of a batch, and names the lanes, in ascending order, that have a
    /// character outside the alphabet; what those give is unspecified.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,avx512vbmi,vaes")]
    pub(in crate::ff1) fn apply_text(
        &self,
        batch: &Batch<'_>,
        text: &LongText,
        stride: usize,
        source: &[u8],
        target: &mut [u8],
        mut report: impl FnMut(usize),
    ) {
        let size = LONG_LANES * stride;
        for (index, (source, target)) in source.chunks(size).zip(target.chunks_mut(size)).enumerate() {
            let start = index * LONG_LANES;
            let invalid = by_stream_bytes!(self, text(batch, text, start, stride, source, target));
            for lane in (0..source.len() / stride).filter(|lane| invalid >> lane & 1 == 1) {
                report(start + lane);
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,vaes")]
    fn numerals<const D: usize, const N: usize>(&self, batch: &Batch<'_>, numeration: &Numeration, values: &mut [u16]) {
        let length = self.half_lengths[0] + self.half_lengths[1];
        let size = self.numerals.size;
        let mut digits = [[_mm512_setzero_si512(); TOGETHER]; MAXIMUM_DIGITS];
        let mut halves: LongHalves<N> = [[Number::zero(); LONG_GROUPS]; 2];
        for (set, values) in values.chunks(TOGETHER * GROUP * length).enumerate() {
            for (side, range) in self.ranges().into_iter().enumerate() {
                let digits = &mut digits[..self.numerals.count(range.len())];
                let first = self.numerals.first(range.len());
                for (group, values) in values.chunks(GROUP * length).enumerate() {
                    for (index, digits) in digits.iter_mut().enumerate() {
                        let mut lanes = [0; GROUP];
                        for (lane, value) in lanes.iter_mut().zip(VALUE_OF_LANE) {
                            let Some(value) = values.chunks_exact(length).nth(value) else { continue };
                            let (head, tail) = value[range.clone()].split_at(first);
                            let numerals = if index == 0 { head } else { &tail[(index - 1) * size..index * size] };
                            *lane = numeration.number(numerals, u64::from);
                        }
                        digits[group] = load_words(&lanes);
                    }
                }
                self.numerals.read(digits, &mut halves[side].as_chunks_mut().0[set]);
            }
        }
        self.rounds.run::<D, N>(batch, 0, &mut halves, batch.count.div_ceil(GROUP));
        for (set, values) in values.chunks_mut(TOGETHER * GROUP * length).enumerate() {
            for (side, range) in self.ranges().into_iter().enumerate() {
                let digits = &mut digits[..self.numerals.count(range.len())];
                let first = self.numerals.first(range.len());
                self.numerals.spell(&mut halves[side].as_chunks_mut().0[set], digits);
                for (group, values) in values.chunks_mut(GROUP * length).enumerate() {
                    for (index, digits) in digits.iter().enumerate() {
                        let mut lanes = [0; GROUP];
                        store_words(&mut lanes, digits[group]);
                        for (&lane, value) in lanes.iter().zip(VALUE_OF_LANE) {
                            let Some(value) = values.chunks_exact_mut(length).nth(value) else { continue };
                            let (head, tail) = value[range.clone()].split_at_mut(first);
                            let numerals = if index == 0 { head } else { &mut tail[(index - 1) * size..index * size] };
                            numeration.spell(lane, numerals, |numeral| numeral as u16);
                        }
                    }
                }
            }
        }
    }

    /// Gives a bit for each value that has an invalid character.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma,avx512vbmi,vaes")]
    fn text<const D: usize, const N: usize>(
        &self,
        batch: &Batch<'_>,
        text: &LongText,
        start: usize,
        stride: usize,
        source: &[u8],
        target: &mut [u8],
    ) -> u64 {
        let mut digits = [[_mm512_setzero_si512(); TOGETHER]; MAXIMUM_DIGITS];
        let mut halves: LongHalves<N> = [[Number::zero(); LONG_GROUPS]; 2];
        let mut invalid = 0;
        for (set, values) in source.chunks(TOGETHER * GROUP * stride).enumerate() {
            for (side, range) in self.ranges().into_iter().enumerate() {
                let digits = &mut digits[..self.characters.count(range.len())];
                for (group, values) in values.chunks(GROUP * stride).enumerate() {
                    let bytes = self.parse(text, stride, values, &range, group, digits);
                    for (lane, value) in VALUE_OF_LANE.into_iter().enumerate() {
                        let position = GROUP * (TOGETHER * set + group) + value;
                        invalid |= u64::from(bytes >> (8 * lane) & 0xff != 0) << position;
                    }
                }
                self.characters.read(digits, &mut halves[side].as_chunks_mut().0[set]);
            }
        }
        self.rounds.run::<D, N>(batch, start, &mut halves, source.len().div_ceil(GROUP * stride));
        for (set, values) in target.chunks_mut(TOGETHER * GROUP * stride).enumerate() {
            for (side, range) in self.ranges().into_iter().enumerate() {
                let digits = &mut digits[..self.characters.count(range.len())];
                self.characters.spell(&mut halves[side].as_chunks_mut().0[set], digits);
                for (group, values) in values.chunks_mut(GROUP * stride).enumerate() {
                    self.print(text, stride, values, &range, group, digits);
                }
            }
        }
        invalid
    }

    /// The numerals of the left and the right half.
    fn ranges(&self) -> [Range<usize>; 2] {
        let [left, right] = self.half_lengths;
        [0..left, left..left + right]
    }

    /// Where a half's digit is. A half has at least 13 characters, since the radix is 128 at most, so
    /// that the eight bytes are its own.
    fn place(&self, start: usize, length: usize, index: usize) -> Place {
        let size = self.characters.size;
        let first = self.characters.first(length);
        match index {
            0 => Place { position: start, shift: 8 * (8 - first as u32), padding: 8 * (8 - first as u32) },
            _ => Place { position: start + first + index * size - 8, shift: 0, padding: 8 * (8 - size as u32) },
        }
    }

    /// One group's digits of a half, and which of their bytes are invalid.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn parse(
        &self,
        text: &LongText,
        stride: usize,
        values: &[u8],
        range: &Range<usize>,
        group: usize,
        digits: &mut [[__m512i; TOGETHER]],
    ) -> u64 {
        // Lanes without a value repeat the last one, whose characters there are.
        let last = values.len() / stride - 1;
        let starts = VALUE_OF_LANE.map(|value| value.min(last) * stride);
        let padding = words(text.padding);
        let mut invalid = 0;
        for (index, digits) in digits.iter_mut().enumerate() {
            let place = self.place(range.start, range.len(), index);
            let mut lanes = [[0; 8]; GROUP];
            for (lane, start) in lanes.iter_mut().zip(starts) {
                let position = start + place.position;
                lane.copy_from_slice(&values[position..position + 8]);
            }
            let mut characters = _mm512_setzero_si512();
            if let [lanes] = lanes.as_flattened().as_chunks::<64>().0 {
                characters = _mm512_sllv_epi64(load(lanes), words(place.shift.into()));
            }
            let padded = _mm512_sllv_epi64(_mm512_set1_epi64(-1), words(place.padding.into()));
            let characters = _mm512_ternarylogic_epi64::<0xca>(padded, characters, padding);
            let bytes;
            (digits[group], bytes) = text.slots.parse(characters);
            invalid |= bytes;
        }
        invalid
    }

    /// Writes the characters of one group's halves.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512ifma,avx512vbmi")]
    fn print(
        &self,
        text: &LongText,
        stride: usize,
        values: &mut [u8],
        range: &Range<usize>,
        group: usize,
        digits: &[[__m512i; TOGETHER]],
    ) {
        // Each digit but the first may overwrite a character of the one before it, which is therefore
        // written later.
        for (index, digits) in digits.iter().enumerate().rev() {
            let place = self.place(range.start, range.len(), index);
            let mut lanes = [0; 64];
            store(&mut lanes, text.slots.print(digits[group]));
            for (value, target) in values.chunks_exact_mut(stride).enumerate() {
                let lane = if value < 4 { 2 * value } else { 2 * (value - 4) + 1 };
                let characters = &lanes[8 * lane..8 * lane + 8];
                if index > 0 {
                    target[place.position..place.position + 8].copy_from_slice(characters);
                } else {
                    let unused = place.shift as usize / 8;
                    target[place.position..place.position + 8 - unused].copy_from_slice(&characters[unused..]);
                }
            }
        }
    }
}
