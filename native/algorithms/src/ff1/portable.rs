//! The Feistel rounds on every processor, for halves that fit 32 or 96 bits.
//!
//! The rounds do not swap the halves (SP 800-38G, algorithm 7, step 6): even rounds change the left
//! half, modulo radix^u, by a function of the right one, and odd rounds the right half, modulo
//! radix^v. Each round encrypts the blocks of the whole batch together.

use super::reduction::{NarrowModulus, WideModulus};
use super::tweak::BatchTemplates;
use super::{Direction, ROUNDS};
use crate::aes::AesKey;
use crate::kernel::Kernel;

/// The most values in one batch.
pub(crate) const LANES: usize = 256;

/// What the rounds of one batch need besides the halves.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'b> {
    pub(crate) key: &'b AesKey,
    pub(crate) kernel: Kernel,
    pub(crate) direction: Direction,
    /// b, which places the round number in the block.
    pub(crate) half_bytes: usize,
    /// How many values there are, at most [`LANES`].
    pub(crate) count: usize,
    pub(crate) templates: &'b BatchTemplates,
}

impl Batch<'_> {
    /// The order in which the rounds run.
    pub(crate) fn rounds(&self) -> impl Iterator<Item = usize> + use<> {
        let direction = self.direction;
        (0..ROUNDS).map(move |step| match direction {
            Direction::Encrypt => step,
            Direction::Decrypt => ROUNDS - 1 - step,
        })
    }

    /// The templates as numbers.
    fn template_numbers(&self) -> [u128; LANES] {
        let mut numbers = [0; LANES];
        for (number, template) in numbers.iter_mut().zip(&self.templates.blocks) {
            *number = u128::from_be_bytes(*template);
        }
        numbers
    }

    /// The round number in its place: the byte before the half.
    fn round_number(&self, round: usize) -> u128 {
        (round as u128) << (8 * self.half_bytes)
    }
}

/// Halves below 2^32 (b <= 4, so that d = 8 and y has 64 bits).
pub(crate) fn narrow(
    batch: &Batch<'_>,
    moduli: &[NarrowModulus; 2],
    left: &mut [u64; LANES],
    right: &mut [u64; LANES],
) {
    let templates = batch.template_numbers();
    let mut blocks = [[0u8; 16]; LANES];
    let blocks = &mut blocks[..batch.count];
    for round in batch.rounds() {
        let (target, source, modulus) = match round % 2 {
            0 => (&mut *left, &*right, moduli[0]),
            _ => (&mut *right, &*left, moduli[1]),
        };
        let number = batch.round_number(round);
        for ((block, template), &half) in blocks.iter_mut().zip(&templates).zip(source) {
            *block = (template ^ number ^ u128::from(half)).to_be_bytes();
        }
        batch.key.encrypt_blocks(batch.kernel, blocks);
        for (half, block) in target.iter_mut().zip(&*blocks) {
            let y = modulus.reduce((u128::from_be_bytes(*block) >> 64) as u64);
            let sum = match batch.direction {
                Direction::Encrypt => *half + y,
                Direction::Decrypt => *half + modulus.modulus - y,
            };
            *half = sum.min(sum.wrapping_sub(modulus.modulus));
        }
    }
}

/// Halves below 2^96 (b <= 12, so that d <= 16 and y has 96 or 128 bits).
pub(crate) fn wide(batch: &Batch<'_>, moduli: &[WideModulus; 2], left: &mut [u128; LANES], right: &mut [u128; LANES]) {
    let templates = batch.template_numbers();
    let mut blocks = [[0u8; 16]; LANES];
    let blocks = &mut blocks[..batch.count];
    let unused_bits = if batch.half_bytes > 8 { 0 } else { 32 };
    for round in batch.rounds() {
        let (target, source, modulus) = match round % 2 {
            0 => (&mut *left, &*right, moduli[0]),
            _ => (&mut *right, &*left, moduli[1]),
        };
        let number = batch.round_number(round);
        for ((block, template), &half) in blocks.iter_mut().zip(&templates).zip(source) {
            *block = (template ^ number ^ half).to_be_bytes();
        }
        batch.key.encrypt_blocks(batch.kernel, blocks);
        for (half, block) in target.iter_mut().zip(&*blocks) {
            let y = modulus.reduce(u128::from_be_bytes(*block) >> unused_bits);
            let sum = match batch.direction {
                Direction::Encrypt => *half + y,
                Direction::Decrypt => *half + modulus.modulus - y,
            };
            *half = sum.min(sum.wrapping_sub(modulus.modulus));
        }
    }
}
