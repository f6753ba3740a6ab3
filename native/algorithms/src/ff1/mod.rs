//! FF1 format-preserving encryption (NIST SP 800-38G rev. 1, section 5.1), in batches.
//!
//! Everything that does not depend on a value is computed once, when an [`Ff1`] is made: the CBC-MAC
//! over the parameters and a shared tweak, moduli and reciprocals. What is left is ten AES blocks a
//! value as long as a half fits 96 bits, and for longer ones ten times the blocks of a half and of
//! its y, run for many values in lockstep.

pub mod ascii;
mod decimal;
mod fixed;
mod limbs;
mod long;
mod numeration;
mod parameters;
mod portable;
mod reduction;
mod tweak;
#[cfg(target_arch = "x86_64")]
mod vector;

use std::fmt;

pub use self::ascii::AsciiFf1;
use self::long::LongFeistel;
use self::numeration::Numeration;
pub use self::parameters::{DomainMinimum, ParameterError, Parameters};
use self::portable::{Batch, LANES};
use self::reduction::{NarrowModulus, WideModulus};
pub use self::tweak::Tweak;
use self::tweak::{BatchTemplates, Templates};
use crate::aes::AesKey;
use crate::kernel::Kernel;

/// The Feistel rounds of FF1.
const ROUNDS: usize = 10;

/// FF1.Encrypt (algorithm 7) or FF1.Decrypt (algorithm 8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// FF1.Encrypt.
    Encrypt,
    /// FF1.Decrypt.
    Decrypt,
}

/// A numeral is not below the radix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NumeralOutOfRange {
    /// The position of the first such numeral in the slice.
    pub index: usize,
}

impl fmt::Display for NumeralOutOfRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the numeral at index {} is not below the radix", self.index)
    }
}

impl std::error::Error for NumeralOutOfRange {}

/// FF1 under one key, for values of one radix and length.
pub struct Ff1<'k> {
    key: &'k AesKey,
    kernel: Kernel,
    parameters: Parameters,
    templates: Templates,
    feistel: Feistel,
}

/// The rounds, by the size of a half.
enum Feistel {
    /// b <= 4.
    Narrow(Numeration, [NarrowModulus; 2]),
    /// b <= 12.
    Wide(Numeration, [WideModulus; 2]),
    /// Anything longer.
    Long(Box<LongFeistel>),
}

/// How values are written: where they lie, and what their symbols stand for.
#[derive(Clone, Copy)]
struct Symbols<N, P> {
    /// Symbols from one value's start to the next.
    stride: usize,
    /// The numeral of a symbol.
    numeral: N,
    /// The symbol of a numeral.
    symbol: P,
}

impl<'k> Ff1<'k> {
    /// Prepares FF1 for values of these parameters.
    ///
    /// # Errors
    /// [`ParameterError::TweakTooLong`] if the tweak has more than 2^32 - 1 bytes.
    pub fn new(
        key: &'k AesKey,
        kernel: Kernel,
        parameters: Parameters,
        tweak: Tweak<'_>,
    ) -> Result<Self, ParameterError> {
        let templates = Templates::new(key, kernel, &parameters, tweak)?;
        let numeration = || Numeration::new(parameters.radix());
        let feistel = match parameters.half_moduli() {
            Some(moduli) if parameters.half_bytes() <= 4 => {
                Feistel::Narrow(numeration(), moduli.map(|modulus| NarrowModulus::new(modulus as u64)))
            }
            Some(moduli) => Feistel::Wide(numeration(), moduli.map(WideModulus::new)),
            None => Feistel::Long(Box::new(LongFeistel::new(kernel, &parameters))),
        };
        Ok(Ff1 { key, kernel, parameters, templates, feistel })
    }

    /// Radix and length.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Transforms values in place: `numerals` holds `count * length` numerals, and `tweaks` a tweak
    /// for each value (nothing if the values share one).
    ///
    /// # Errors
    /// [`NumeralOutOfRange`] if a numeral is not below the radix; then nothing was changed.
    ///
    /// # Panics
    /// If `numerals` does not hold whole values, or `tweaks` not one tweak for each of them.
    pub fn apply(&self, direction: Direction, numerals: &mut [u16], tweaks: &[u8]) -> Result<(), NumeralOutOfRange> {
        let radix = self.parameters.radix();
        if let Some(index) = numerals.iter().position(|&numeral| u32::from(numeral) >= radix) {
            return Err(NumeralOutOfRange { index });
        }
        assert!(numerals.len().is_multiple_of(self.parameters.length()), "whole values");
        self.assert_tweaks(numerals.len() / self.parameters.length(), tweaks);
        self.apply_checked(direction, numerals, tweaks);
        Ok(())
    }

    /// Checks that there is one tweak a value.
    fn assert_tweaks(&self, count: usize, tweaks: &[u8]) {
        let expected = count.checked_mul(self.templates.bytes_each());
        assert!(expected == Some(tweaks.len()), "one tweak a value");
    }

    /// [`Ff1::apply`] on numerals that are known to be below the radix.
    fn apply_checked(&self, direction: Direction, numerals: &mut [u16], tweaks: &[u8]) {
        let length = self.parameters.length();
        let lanes = match &self.feistel {
            Feistel::Long(long) => long.lanes(),
            Feistel::Narrow(..) | Feistel::Wide(..) => LANES,
        };
        let tweak_bytes = self.templates.bytes_each();
        let mut templates = self.templates.prepare();
        for (index, values) in numerals.chunks_mut(lanes * length).enumerate() {
            let count = values.len() / length;
            let first = index * lanes;
            let tweaks = &tweaks[first * tweak_bytes..(first + count) * tweak_bytes];
            let batch = self.batch(direction, count, tweaks, &mut templates);
            match &self.feistel {
                Feistel::Long(long) => long.apply(&batch, values),
                Feistel::Narrow(..) | Feistel::Wide(..) => {
                    let symbols = Symbols { stride: length, numeral: u64::from, symbol: |n| n as u16 };
                    self.apply_symbols(&batch, values, symbols);
                }
            }
        }
    }

    /// One batch of values with halves of at most 96 bits, in any kind of symbols.
    #[inline(always)]
    fn apply_symbols<S: Copy, N: Fn(S) -> u64 + Copy, P: Fn(u64) -> S + Copy>(
        &self,
        batch: &Batch<'_>,
        values: &mut [S],
        Symbols { stride, numeral, symbol }: Symbols<N, P>,
    ) {
        let length = self.parameters.length();
        let [left_length, _] = self.parameters.half_lengths();
        match &self.feistel {
            Feistel::Narrow(numeration, moduli) => {
                let (mut left, mut right) = ([0u64; LANES], [0u64; LANES]);
                for (index, value) in values.chunks_exact(stride).enumerate() {
                    let halves = value[..length].split_at(left_length);
                    left[index] = numeration.number(halves.0, numeral);
                    right[index] = numeration.number(halves.1, numeral);
                }
                narrow_rounds(batch, moduli, &mut left, &mut right);
                for (index, value) in values.chunks_exact_mut(stride).enumerate() {
                    let halves = value[..length].split_at_mut(left_length);
                    numeration.spell(left[index], halves.0, symbol);
                    numeration.spell(right[index], halves.1, symbol);
                }
            }
            Feistel::Wide(numeration, moduli) => {
                let (mut left, mut right) = ([0u128; LANES], [0u128; LANES]);
                for (index, value) in values.chunks_exact(stride).enumerate() {
                    let halves = value[..length].split_at(left_length);
                    left[index] = numeration.wide_number(halves.0, numeral);
                    right[index] = numeration.wide_number(halves.1, numeral);
                }
                wide_rounds(batch, moduli, &mut left, &mut right);
                for (index, value) in values.chunks_exact_mut(stride).enumerate() {
                    let halves = value[..length].split_at_mut(left_length);
                    numeration.spell_wide(left[index], halves.0, symbol);
                    numeration.spell_wide(right[index], halves.1, symbol);
                }
            }
            Feistel::Long(_) => {}
        }
    }

    /// What the rounds need besides the halves; makes the templates those of the batch.
    fn batch<'b>(
        &'b self,
        direction: Direction,
        count: usize,
        tweaks: &[u8],
        templates: &'b mut BatchTemplates,
    ) -> Batch<'b> {
        self.templates.refill(self.key, self.kernel, count, tweaks, templates);
        Batch {
            key: self.key,
            kernel: self.kernel,
            direction,
            half_bytes: self.parameters.half_bytes(),
            count,
            templates,
        }
    }
}

/// The rounds on halves below 2^32, by the kernel that the batch names.
fn narrow_rounds(batch: &Batch<'_>, moduli: &[NarrowModulus; 2], left: &mut [u64; LANES], right: &mut [u64; LANES]) {
    #[cfg(target_arch = "x86_64")]
    if batch.kernel.is_vector() {
        let moduli = moduli.map(|modulus| modulus.modulus);
        // SAFETY: a vector kernel exists only on a processor that has the extensions.
        return unsafe { vector::narrow_halves(batch, moduli, left, right) };
    }
    portable::narrow(batch, moduli, left, right);
}

/// The rounds on halves below 2^96, by the kernel that the batch names.
fn wide_rounds(batch: &Batch<'_>, moduli: &[WideModulus; 2], left: &mut [u128; LANES], right: &mut [u128; LANES]) {
    #[cfg(target_arch = "x86_64")]
    if batch.kernel.is_vector() {
        let moduli = moduli.map(|modulus| modulus.modulus);
        // SAFETY: a vector kernel exists only on a processor that has the extensions.
        return unsafe { vector::wide_halves(batch, moduli, left, right) };
    }
    portable::wide(batch, moduli, left, right);
}

impl fmt::Debug for Ff1<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Ff1")
            .field("kernel", &self.kernel)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}
