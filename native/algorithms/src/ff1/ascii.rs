//! FF1 over values written in a one-byte alphabet.

use super::portable::LANES;
#[cfg(target_arch = "x86_64")]
use super::vector;
use super::{Direction, Feistel, Ff1, ParameterError, Parameters, Symbols, Tweak};
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
        Ok(AsciiFf1 { ff1, alphabet, characters })
    }

    /// Bytes from one value's start to the next: 16 for values of up to 16 characters, 32 for up to
    /// 32, and else the length. The bytes after a value are ignored in the source and unspecified in
    /// the target.
    #[must_use]
    pub fn stride(&self) -> usize {
        match self.ff1.parameters.length() {
            ..=16 => 16,
            ..=32 => 32,
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
        #[cfg(target_arch = "x86_64")]
        if let Some(rounds) = self.vector_rounds() {
            let batches = self.batches(source, target, tweaks);
            return self.apply_vector(&rounds, direction, batches, invalid);
        }
        for Slots { first, source, target, tweaks } in self.batches(source, target, tweaks) {
            let already_invalid = invalid.len();
            target.copy_from_slice(source);
            // The first character stands in for values that cannot be computed with.
            for (value, position) in target.chunks_exact_mut(stride).zip(first as u32..) {
                if !self.is_valid(value) {
                    value.fill(self.characters[0]);
                    invalid.push(position);
                }
            }
            self.apply_batch(direction, target, tweaks);
            for &position in &invalid[already_invalid..] {
                let start = (position as usize - first) * stride;
                target[start..start + stride].fill(self.characters[0]);
            }
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
        };
        // SAFETY: a vector kernel exists only on a processor that has the extensions.
        Some(unsafe { vector::ascii::AsciiRounds::new(self.ff1.key, writing) })
    }

    #[cfg(target_arch = "x86_64")]
    fn apply_vector<'s>(
        &self,
        rounds: &vector::ascii::AsciiRounds<'k>,
        direction: Direction,
        batches: impl Iterator<Item = Slots<'s>>,
        invalid: &mut Vec<u32>,
    ) {
        let stride = self.stride();
        for Slots { first, source, target, tweaks } in batches {
            let count = source.len() / stride;
            let templates = self.ff1.templates(count, tweaks);
            let batch = self.ff1.batch(direction, count, &templates);
            let mut invalid_lanes = [false; LANES];
            // SAFETY: a vector kernel exists only on a processor that has the extensions.
            unsafe { rounds.run(&batch, source, target, &mut invalid_lanes) };
            for (lane, value) in target.chunks_exact_mut(stride).enumerate() {
                if invalid_lanes[lane] {
                    value.fill(self.characters[0]);
                    invalid.push((first + lane) as u32);
                }
            }
        }
    }

    fn is_valid(&self, value: &[u8]) -> bool {
        let numerals = self.alphabet.ascii_numerals();
        let characters = &value[..self.ff1.parameters.length()];
        characters.iter().fold(0, |highest, &byte| numerals[usize::from(byte)].max(highest)) != ABSENT
    }

    /// At most [`LANES`] values, all valid, in place.
    fn apply_batch(&self, direction: Direction, values: &mut [u8], tweaks: &[u8]) {
        let numerals = self.alphabet.ascii_numerals();
        if let Feistel::Long(_) = self.ff1.feistel {
            let length = self.ff1.parameters.length();
            let slots = values.chunks_exact(self.stride()).flat_map(|slot| &slot[..length]);
            let mut buffer: Vec<u16> = slots.map(|&byte| u16::from(numerals[usize::from(byte)])).collect();
            self.ff1.apply_checked(direction, &mut buffer, tweaks);
            let slots = values.chunks_exact_mut(self.stride()).flat_map(|slot| &mut slot[..length]);
            for (byte, numeral) in slots.zip(buffer) {
                *byte = self.characters[usize::from(numeral & 127)];
            }
            return;
        }
        let symbols = Symbols {
            stride: self.stride(),
            numeral: |byte: u8| u64::from(numerals[usize::from(byte)]),
            symbol: |numeral| self.characters[(numeral & 127) as usize],
        };
        self.ff1.apply_symbols(direction, values, tweaks, symbols);
    }
}
