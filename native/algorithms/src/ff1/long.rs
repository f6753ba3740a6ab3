//! FF1 on long values: halves above 96 bits, as limbs. Up to 512 bits their count is fixed when the
//! code is compiled, in [`fixed`](super::fixed) and on the vector kernel; what is here takes any.
//!
//! A half is converted once, stays a number through the ten rounds and is spelled at the end, so a
//! round costs AES and one reduction that is linear in the length. The CBC-MAC of a value cannot be
//! parallelized; many values go through it in lockstep.

use super::Direction;
use super::fixed::{FIXED_LANES, FixedFeistel};
use super::limbs::{self, Modulus};
use super::numeration::Numeration;
use super::parameters::Parameters;
use super::portable::Batch;
use super::tweak::round_blocks;
#[cfg(target_arch = "x86_64")]
use super::vector;
use crate::aes::Block;
use crate::kernel::Kernel;

/// What depends on radix and length only.
pub(crate) struct LongFeistel {
    moduli: [Modulus; 2],
    numeration: Numeration,
    half_lengths: [usize; 2],
    half_bytes: usize,
    stream_bytes: usize,
    /// A fixed count of limbs, if the halves are not too long.
    fixed: Option<FixedFeistel>,
    /// Eight values to a register, if the kernel can do so and the halves are not too long.
    #[cfg(target_arch = "x86_64")]
    vector: Option<vector::LongPath>,
}

/// The buffers of a batch; value `i` has the `i`-th equal part of each, unless it says otherwise.
struct Buffers {
    halves: [Vec<u64>; 2],
    /// The blocks of Q from the one that holds the round number to the end.
    tail: Vec<Block>,
    states: Vec<Block>,
    /// The blocks of S after the first.
    stream: Vec<Block>,
    /// S, of one value at a time.
    bytes: Vec<u8>,
    /// y, of one value at a time.
    number: Vec<u64>,
}

impl LongFeistel {
    pub(crate) fn new(kernel: Kernel, parameters: &Parameters) -> LongFeistel {
        let _ = kernel;
        let half_lengths = parameters.half_lengths();
        LongFeistel {
            moduli: half_lengths.map(|length| Modulus::new(limbs::power(parameters.radix(), length as u32))),
            numeration: Numeration::new(parameters.radix()),
            half_lengths,
            half_bytes: parameters.half_bytes(),
            stream_bytes: parameters.stream_bytes(),
            fixed: FixedFeistel::new(parameters),
            #[cfg(target_arch = "x86_64")]
            vector: if kernel.is_vector() { vector::LongPath::new(parameters) } else { None },
        }
    }

    /// How many values to run in lockstep: as many as AES can use, unless memory would suffer.
    pub(crate) fn lanes(&self) -> usize {
        #[cfg(target_arch = "x86_64")]
        if self.vector.is_some() {
            return vector::LONG_LANES;
        }
        if self.fixed.is_some() {
            return FIXED_LANES;
        }
        (1 << 18 >> self.half_bytes.ilog2()).clamp(8, 64)
    }

    /// Transforms the values of one batch, each `u + v` numerals.
    pub(crate) fn apply(&self, batch: &Batch<'_>, numerals: &mut [u16]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(path) = &self.vector {
            // SAFETY: there is a path for a vector kernel only, and that exists only on a processor
            // that has the extensions.
            return unsafe { path.apply_numerals(batch, &self.numeration, numerals) };
        }
        if let Some(fixed) = &self.fixed {
            return fixed.apply(batch, &self.numeration, numerals);
        }
        let [left_length, right_length] = self.half_lengths;
        let count = batch.count;
        let mut buffers = Buffers {
            halves: [0, 1].map(|side| vec![0; count * self.moduli[side].len()]),
            tail: vec![[0; 16]; count * round_blocks(self.half_bytes)],
            states: vec![[0; 16]; count],
            stream: vec![[0; 16]; count * (self.stream_bytes.div_ceil(16) - 1)],
            bytes: vec![0; 16 * self.stream_bytes.div_ceil(16)],
            number: vec![0; self.stream_bytes.div_ceil(8) + 1],
        };
        for (index, value) in numerals.chunks_exact(left_length + right_length).enumerate() {
            let (left, right) = value.split_at(left_length);
            for (side, half) in [left, right].into_iter().enumerate() {
                self.numeration.long_number(half, self.half(&mut buffers.halves, side, index));
            }
        }
        for round in batch.rounds() {
            self.round(batch, round, &mut buffers);
        }
        for (index, value) in numerals.chunks_exact_mut(left_length + right_length).enumerate() {
            let (left, right) = value.split_at_mut(left_length);
            for (side, half) in [left, right].into_iter().enumerate() {
                self.numeration.spell_long(self.half(&mut buffers.halves, side, index), half);
            }
        }
    }

    /// The path for values in characters, if there is one.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn vector_path(&self) -> Option<&vector::LongPath> {
        self.vector.as_ref()
    }

    fn half<'h>(&self, halves: &'h mut [Vec<u64>; 2], side: usize, index: usize) -> &'h mut [u64] {
        let size = self.moduli[side].len();
        &mut halves[side][index * size..(index + 1) * size]
    }

    fn round(&self, batch: &Batch<'_>, round: usize, buffers: &mut Buffers) {
        let target_side = round % 2;
        self.write_tails(round, 1 - target_side, buffers);
        self.authenticate(batch, buffers);
        self.extend(batch, buffers);
        let modulus = &self.moduli[target_side];
        for index in 0..batch.count {
            self.read_stream(index, buffers);
            modulus.reduce(&mut buffers.number);
            let half = self.half(&mut buffers.halves, target_side, index);
            let y = &buffers.number[..modulus.len()];
            match batch.direction {
                Direction::Encrypt => {
                    if limbs::add(half, y) || limbs::at_least(half, modulus.limbs()) {
                        limbs::subtract(half, modulus.limbs());
                    }
                }
                Direction::Decrypt => {
                    if limbs::subtract(half, y) {
                        limbs::add(half, modulus.limbs());
                    }
                }
            }
        }
    }

    /// Round number and half, right-aligned in the last blocks of Q.
    fn write_tails(&self, round: usize, source_side: usize, buffers: &mut Buffers) {
        let blocks = round_blocks(self.half_bytes);
        let size = self.moduli[source_side].len();
        let halves = buffers.halves[source_side].chunks_exact(size);
        for (tail, half) in buffers.tail.chunks_exact_mut(blocks).zip(halves) {
            let tail = tail.as_flattened_mut();
            let round_position = tail.len() - self.half_bytes - 1;
            tail[round_position] = round as u8;
            let mut number = half.iter().copied();
            for bytes in tail[round_position + 1..].rchunks_mut(8) {
                let limb = number.next().unwrap_or(0).to_be_bytes();
                bytes.copy_from_slice(&limb[8 - bytes.len()..]);
            }
        }
    }

    /// R: the CBC-MAC, block after block, all values in lockstep.
    fn authenticate(&self, batch: &Batch<'_>, buffers: &mut Buffers) {
        let blocks = round_blocks(self.half_bytes);
        buffers.states.copy_from_slice(&batch.templates.blocks[..batch.count]);
        for block in 0..blocks {
            let tails = buffers.tail.chunks_exact(blocks);
            for (state, tail) in buffers.states.iter_mut().zip(tails) {
                for (byte, tail_byte) in state.iter_mut().zip(&tail[block]) {
                    *byte ^= tail_byte;
                }
            }
            batch.key.encrypt_blocks(batch.kernel, &mut buffers.states);
        }
    }

    /// The rest of S: the encryptions of R XOR 1, R XOR 2 and so on.
    fn extend(&self, batch: &Batch<'_>, buffers: &mut Buffers) {
        let blocks = self.stream_bytes.div_ceil(16) - 1;
        for (stream, state) in buffers.stream.chunks_exact_mut(blocks).zip(&buffers.states) {
            let state = u128::from_be_bytes(*state);
            for (counter, block) in (1u128..).zip(stream) {
                *block = (state ^ counter).to_be_bytes();
            }
        }
        batch.key.encrypt_blocks(batch.kernel, &mut buffers.stream);
    }

    /// y: the first d bytes of S as a number, with a zero limb on top.
    fn read_stream(&self, index: usize, buffers: &mut Buffers) {
        let blocks = self.stream_bytes.div_ceil(16) - 1;
        let rest = &buffers.stream[index * blocks..(index + 1) * blocks];
        let (first, others) = buffers.bytes.split_at_mut(16);
        first.copy_from_slice(&buffers.states[index]);
        others.copy_from_slice(rest.as_flattened());
        buffers.number.fill(0);
        let chunks = buffers.bytes[..self.stream_bytes].rchunks(8);
        for (limb, chunk) in buffers.number.iter_mut().zip(chunks) {
            let mut bytes = [0; 8];
            bytes[8 - chunk.len()..].copy_from_slice(chunk);
            *limb = u64::from_be_bytes(bytes);
        }
    }
}
