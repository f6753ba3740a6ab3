//! FF1 over values written in a one-byte alphabet.

use super::decimal::DecimalSlot;
use super::portable::{Batch, LANES};
use super::reduction::NarrowModulus;
#[cfg(target_arch = "x86_64")]
use super::vector;
use super::{Direction, Feistel, Ff1, ParameterError, Parameters, Symbols, Tweak, narrow_rounds};
use crate::aes::AesKey;
use crate::alphabet::Alphabet;
use crate::kernel::Kernel;

/// [`Ff1`] from characters to characters, for alphabets of ASCII characters.
///
/// Values lie at a fixed distance, [`AsciiFf1::stride`], left-aligned.
#[derive(Debug)]
pub struct AsciiFf1<'k, 'a> {
    ff1: Ff1<'k>,
    alphabet: &'a Alphabet,
    /// The character of each numeral.
    characters: [u8; 128],
    /// For the ten digits in slots of 16 bytes.
    decimal: Option<DecimalSlot>,
}

/// The values of one batch.
struct Slots<'s> {
    /// The position of the first value in the call.
    first: usize,
    source: &'s [u8],
    target: &'s mut [u8],
    tweaks: &'s [u8],
}

/// Marks a byte that is not in the alphabet, in [`Alphabet::ascii_numerals`].
const ABSENT: u8 = 255;

impl<'k, 'a> AsciiFf1<'k, 'a> {
    /// Prepares FF1 for values of these parameters in this alphabet.
    ///
    /// # Errors
    /// [`ParameterError`] if the alphabet is not ASCII or its size is not the radix, or as
    /// [`Ff1::new`].
    pub fn new(
        key: &'k AesKey,
        kernel: Kernel,
        alphabet: &'a Alphabet,
        parameters: Parameters,
        tweak: Tweak<'_>,
    ) -> Result<Self, ParameterError> {
        if !alphabet.is_ascii() {
            return Err(ParameterError::AlphabetNotAscii);
        }
        if alphabet.radix() != parameters.radix() {
            return Err(ParameterError::AlphabetRadix);
        }
        let mut characters = [0; 128];
        for (character, &numeral) in (0u8..128).zip(alphabet.ascii_numerals()) {
            if numeral != ABSENT {
                characters[usize::from(numeral)] = character;
            }
        }
        let ff1 = Ff1::new(key, kernel, parameters, tweak)?;
        let is_decimal = parameters.radix() == 10 && characters.starts_with(b"0123456789");
        let decimal = (is_decimal && parameters.length() <= 16).then(|| DecimalSlot::new(parameters.half_lengths()));
        Ok(AsciiFf1 { ff1, alphabet, characters, decimal })
    }

    /// Bytes from one value's start to the next: 16 for values of up to 16 characters, 32 for up to
    /// 32, and else the length. The bytes after a value are ignored in the source and unspecified in
    /// the target.
    #[must_use]
    pub fn stride(&self) -> usize {
        match self.ff1.parameters.length() {
            0..=16 => 16,
            17..=32 => 32,
            length => length,
        }
    }

    /// Transforms the values of `source` into `target`. A value with a character outside the
    /// alphabet gives the alphabet's first character throughout, and its index is added to
    /// `invalid`, in ascending order. `tweaks` holds a tweak for each value, or nothing if the
    /// values share one.
    ///
    /// # Panics
    /// If source and target differ in length or do not hold whole values, if `tweaks` does not hold
    /// one tweak for each of them, or if there are 2^32 values or more.
    pub fn apply(&self, direction: Direction, source: &[u8], target: &mut [u8], tweaks: &[u8], invalid: &mut Vec<u32>) {
        let stride = self.stride();
        assert!(source.len() == target.len(), "a target as long as the source");
        assert!(source.len().is_multiple_of(stride), "whole values");
        let count = source.len() / stride;
        assert!(u32::try_from(count).is_ok(), "fewer than 2^32 values");
        self.ff1.assert_tweaks(count, tweaks);
        let batches = self.batches(source, target, tweaks);
        #[cfg(target_arch = "x86_64")]
        if let Some(mut rounds) = self.vector_rounds() {
            return self.apply_vector(&mut rounds, direction, batches, invalid);
        }
        #[cfg(target_arch = "x86_64")]
        if let Feistel::Long(long) = &self.ff1.feistel
            && let Some(path) = long.vector_path()
        {
            return self.apply_long_vector(path, direction, batches, invalid);
        }
        let mut templates = self.ff1.templates.prepare();
        for Slots { first, source, target, tweaks } in batches {
            let already_invalid = invalid.len();
            let batch = self.ff1.batch(direction, source.len() / stride, tweaks, &mut templates);
            match (&self.ff1.feistel, self.decimal) {
                (Feistel::Long(_), _) => self.apply_long(direction, source, target, tweaks, first, invalid),
                (Feistel::Narrow(_, moduli), Some(decimal)) => {
                    apply_decimal(&batch, moduli, decimal, source, target, first, invalid);
                }
                _ => {
                    self.copy_valid(source, target, first, invalid);
                    self.apply_symbols(&batch, target);
                }
            }
            self.blank(&invalid[already_invalid..], first, target);
        }
    }

    /// Source, target and tweaks in batches of at most [`LANES`] values.
    fn batches<'s>(
        &self,
        source: &'s [u8],
        target: &'s mut [u8],
        tweaks: &'s [u8],
    ) -> impl Iterator<Item = Slots<'s>> + use<'s> {
        let stride = self.stride();
        let tweak_bytes = self.ff1.templates.bytes_each();
        let sources = source.chunks(LANES * stride).zip(target.chunks_mut(LANES * stride));
        sources.enumerate().map(move |(index, (source, target))| {
            let first = index * LANES;
            let last = first + source.len() / stride;
            let tweaks = &tweaks[first * tweak_bytes..last * tweak_bytes];
            Slots { first, source, target, tweaks }
        })
    }

    /// The fused rounds, if the kernel and the values are such that they apply.
    #[cfg(target_arch = "x86_64")]
    fn vector_rounds(&self) -> Option<vector::ascii::AsciiRounds<'k>> {
        let parameters = self.ff1.parameters;
        if !self.ff1.kernel.is_vector() || parameters.length() > 32 {
            return None;
        }
        let writing = vector::ascii::Writing {
            radix: parameters.radix(),
            half_lengths: parameters.half_lengths(),
            half_bytes: parameters.half_bytes(),
            moduli: parameters.half_moduli()?,
            numerals: self.alphabet.ascii_numerals(),
            characters: &self.characters,
            is_decimal: self.decimal.is_some(),
        };
        // SAFETY: a vector kernel exists only on a processor that has the extensions.
        Some(unsafe { vector::ascii::AsciiRounds::new(self.ff1.key, writing) })
    }

    #[cfg(target_arch = "x86_64")]
    fn apply_vector<'s>(
        &self,
        rounds: &mut vector::ascii::AsciiRounds<'k>,
        direction: Direction,
        batches: impl Iterator<Item = Slots<'s>>,
        invalid: &mut Vec<u32>,
    ) {
        let mut templates = self.ff1.templates.prepare();
        for Slots { first, source, target, tweaks } in batches {
            let already_invalid = invalid.len();
            let batch = self.ff1.batch(direction, source.len() / self.stride(), tweaks, &mut templates);
            // SAFETY: a vector kernel exists only on a processor that has the extensions.
            unsafe { rounds.run(&batch, source, target, |lane| invalid.push((first + lane) as u32)) };
            self.blank(&invalid[already_invalid..], first, target);
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn apply_long_vector<'s>(
        &self,
        path: &vector::LongPath,
        direction: Direction,
        batches: impl Iterator<Item = Slots<'s>>,
        invalid: &mut Vec<u32>,
    ) {
        let (stride, radix) = (self.stride(), self.alphabet.radix());
        // SAFETY: a path exists for a vector kernel only, and that only on a processor that has the
        // extensions.
        let text = unsafe { vector::LongText::new(radix, self.alphabet.ascii_numerals(), &self.characters) };
        let mut templates = self.ff1.templates.prepare();
        for Slots { first, source, target, tweaks } in batches {
            let already_invalid = invalid.len();
            let batch = self.ff1.batch(direction, source.len() / stride, tweaks, &mut templates);
            let report = |lane| invalid.push((first + lane) as u32);
            // SAFETY: as above.
            unsafe { path.apply_text(&batch, &text, stride, source, target, report) };
            self.blank(&invalid[already_invalid..], first, target);
        }
    }

    /// Gives the values at these positions the first character throughout.
    fn blank(&self, positions: &[u32], first: usize, target: &mut [u8]) {
        for &position in positions {
            let start = (position as usize - first) * self.stride();
            target[start..start + self.stride()].fill(self.characters[0]);
        }
    }

    /// Copies the values; where one has a character outside the alphabet, the first character stands
    /// in, since there must be something to compute with.
    fn copy_valid(&self, source: &[u8], target: &mut [u8], first: usize, invalid: &mut Vec<u32>) {
        let numerals = self.alphabet.ascii_numerals();
        let length = self.ff1.parameters.length();
        target.copy_from_slice(source);
        for (value, position) in target.chunks_exact_mut(self.stride()).zip(first as u32..) {
            let highest = |highest: u8, &byte: &u8| numerals[usize::from(byte)].max(highest);
            if value[..length].iter().fold(0, highest) == ABSENT {
                value.fill(self.characters[0]);
                invalid.push(position);
            }
        }
    }

    /// One batch of valid values with halves of at most 96 bits, in place.
    fn apply_symbols(&self, batch: &Batch<'_>, values: &mut [u8]) {
        let numerals = self.alphabet.ascii_numerals();
        let symbols = Symbols {
            stride: self.stride(),
            numeral: |byte: u8| u64::from(numerals[usize::from(byte)]),
            symbol: |numeral| self.characters[(numeral & 127) as usize],
        };
        self.ff1.apply_symbols(batch, values, symbols);
    }

    /// Values with halves above 96 bits, by way of numerals.
    fn apply_long(
        &self,
        direction: Direction,
        source: &[u8],
        target: &mut [u8],
        tweaks: &[u8],
        first: usize,
        invalid: &mut Vec<u32>,
    ) {
        let numerals = self.alphabet.ascii_numerals();
        let (stride, length) = (self.stride(), self.ff1.parameters.length());
        self.copy_valid(source, target, first, invalid);
        let values = target.chunks_exact(stride).flat_map(|slot| &slot[..length]);
        let mut buffer: Vec<u16> = values.map(|&byte| u16::from(numerals[usize::from(byte)])).collect();
        self.ff1.apply_checked(direction, &mut buffer, tweaks);
        for (slot, value) in target.chunks_exact_mut(stride).zip(buffer.chunks_exact(length)) {
            for (byte, &numeral) in slot.iter_mut().zip(value) {
                *byte = self.characters[usize::from(numeral & 127)];
            }
        }
    }
}

/// One batch of decimal values in slots of 16 bytes.
fn apply_decimal(
    batch: &Batch<'_>,
    moduli: &[NarrowModulus; 2],
    decimal: DecimalSlot,
    source: &[u8],
    target: &mut [u8],
    first: usize,
    invalid: &mut Vec<u32>,
) {
    let (mut left, mut right) = ([0u64; LANES], [0u64; LANES]);
    for (lane, slot) in source.as_chunks::<16>().0.iter().enumerate() {
        match decimal.parse(*slot) {
            Some(halves) => [left[lane], right[lane]] = halves,
            None => invalid.push((first + lane) as u32),
        }
    }
    narrow_rounds(batch, moduli, &mut left, &mut right);
    for (lane, slot) in target.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        *slot = decimal.print([left[lane], right[lane]]);
    }
}
