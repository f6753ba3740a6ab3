//! AES-CMAC (NIST SP 800-38B, RFC 4493), computed for many messages in lockstep.
//!
//! A CMAC is a chain: block `i` cannot be encrypted before block `i - 1` has been. One message
//! alone therefore waits for the latency of AES at every block. `Cmac::chain` advances up to
//! `LANES` messages together, so that each call of the block cipher gets many independent
//! blocks, and puts the next message into a lane as soon as the one before it is done.

use zeroize::{Zeroize, Zeroizing};

use crate::aes::{AesKey, Block, InvalidKeyLength};
use crate::kernel::Kernel;
use crate::locked::Locked;
use crate::scrub::scrubbed;

/// How many messages are advanced together.
const LANES: usize = 128;

/// The size of an AES block in bytes.
pub(crate) const BLOCK_BYTES: usize = 16;

/// An AES-CMAC key: the AES key and the two subkeys of SP 800-38B section 6.1.
pub struct Cmac {
    key: AesKey,
    /// K1 and K2. Boxed, so that moving the `Cmac` leaves no copy of them behind.
    subkeys: Locked<Zeroizing<[Block; 2]>>,
}

impl Cmac {
    /// Takes an AES key of 16, 24 or 32 bytes.
    pub fn new(key: &[u8]) -> Result<Cmac, InvalidKeyLength> {
        let key = AesKey::new(key)?;
        let mut subkeys = Locked::new(Zeroizing::new([[0; BLOCK_BYTES]; 2]));
        let [first, second] = &mut **subkeys;
        scrubbed(|| {
            key.encrypt_block(first);
            *first = double(first);
            *second = double(first);
        });
        Ok(Cmac { key, subkeys })
    }

    /// The 16-byte MAC of one message.
    pub fn mac(&self, kernel: Kernel, message: &[u8]) -> Block {
        let mut mac = [0; BLOCK_BYTES];
        self.chain(
            kernel,
            1,
            |_| {
                let ending = match last_block(message) {
                    LastBlock::Full(block) => xor(&block, self.full_mask()),
                    LastBlock::Padded(block) => xor(&block, self.padded_mask()),
                };
                Message::new(message, ending)
            },
            |_, result| mac = result,
        );
        mac
    }

    /// The block cipher.
    pub(crate) fn key(&self) -> &AesKey {
        &self.key
    }

    /// K1, which masks a last block that is full.
    pub(crate) fn full_mask(&self) -> &Block {
        &self.subkeys[0]
    }

    /// K2, which masks a last block that had to be padded.
    pub(crate) fn padded_mask(&self) -> &Block {
        &self.subkeys[1]
    }

    /// Runs the CBC chain over `count` messages: `load(i)` gives message `i`, in order, and
    /// `finish(i, mac)` takes its result, in the order in which the messages end.
    pub(crate) fn chain<'a>(
        &self,
        kernel: Kernel,
        count: usize,
        load: impl Fn(usize) -> Message<'a>,
        mut finish: impl FnMut(usize, Block),
    ) {
        let mut lanes: Vec<Lane<'a>> = Vec::with_capacity(count.min(LANES));
        let mut states: Vec<Block> = Vec::with_capacity(count.min(LANES));
        for index in 0..count.min(LANES) {
            let lane = Lane { index, step: 0, message: load(index) };
            states.push(lane.message.block(0));
            lanes.push(lane);
        }
        let mut next = lanes.len();
        while !lanes.is_empty() {
            self.key.encrypt_blocks(kernel, &mut states);
            let mut slot = 0;
            while slot < lanes.len() {
                let lane = &mut lanes[slot];
                lane.step += 1;
                if lane.step < lane.message.blocks {
                    states[slot] = xor(&states[slot], &lane.message.block(lane.step));
                    slot += 1;
                    continue;
                }
                finish(lane.index, states[slot]);
                if next < count {
                    *lane = Lane { index: next, step: 0, message: load(next) };
                    states[slot] = lane.message.block(0);
                    next += 1;
                    slot += 1;
                } else {
                    // The last lane moves here and is advanced in this slot.
                    lanes.swap_remove(slot);
                    states.swap_remove(slot);
                }
            }
        }
        // Vec's zeroize covers the whole capacity, so also the slots that were given up.
        states.zeroize();
    }
}

/// A message that is being chained, and how far it has come.
struct Lane<'a> {
    index: usize,
    step: usize,
    message: Message<'a>,
}

/// A message as the chain takes it: all blocks but the last two come straight from the text, and
/// the last two are held prepared, with masks and padding applied.
pub(crate) struct Message<'a> {
    text: &'a [u8],
    blocks: usize,
    ending: [Block; 2],
}

impl<'a> Message<'a> {
    /// `text` as it is, apart from its last block, which is `last`.
    pub(crate) fn new(text: &'a [u8], last: Block) -> Message<'a> {
        let blocks = text.len().div_ceil(BLOCK_BYTES).max(1);
        let before = match blocks {
            1 => [0; BLOCK_BYTES],
            _ => block_at(text, (blocks - 2) * BLOCK_BYTES),
        };
        Message { text, blocks, ending: [before, last] }
    }

    /// `text` of at least 17 bytes, with its last two blocks replaced by `ending`.
    pub(crate) fn with_ending(text: &'a [u8], ending: [Block; 2]) -> Message<'a> {
        Message { text, blocks: text.len().div_ceil(BLOCK_BYTES), ending }
    }

    #[inline]
    fn block(&self, step: usize) -> Block {
        // ending[1] is block number blocks - 1.
        match (step + 2).checked_sub(self.blocks) {
            Some(ending) => self.ending[ending],
            None => block_at(self.text, step * BLOCK_BYTES),
        }
    }
}

/// The last block of a text: whole, or padded with a one bit and zeros.
pub(crate) enum LastBlock {
    Full(Block),
    Padded(Block),
}

/// The last block of `text`; the empty text has one padded block.
pub(crate) fn last_block(text: &[u8]) -> LastBlock {
    let rest = text.len() % BLOCK_BYTES;
    if rest == 0 && !text.is_empty() {
        LastBlock::Full(block_at(text, text.len() - BLOCK_BYTES))
    } else {
        LastBlock::Padded(pad(&text[text.len() - rest..]))
    }
}

/// `text` (at most 15 bytes), a one bit, and zeros up to the end of the block.
#[inline]
pub(crate) fn pad(text: &[u8]) -> Block {
    let marker = 0x80u128 << (8 * text.len());
    (load_partial(text) | marker).to_le_bytes()
}

/// Up to 15 bytes as the low bytes of a little-endian integer. Two overlapping loads of a fixed
/// size cost less than a copy of a length that only the value tells.
#[inline]
pub(crate) fn load_partial(bytes: &[u8]) -> u128 {
    let length = bytes.len();
    debug_assert!(length < BLOCK_BYTES);
    if let (Some(head), Some(tail)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let tail = u128::from(u64::from_le_bytes(*tail));
        u128::from(u64::from_le_bytes(*head)) | tail << (8 * (length - 8))
    } else if let (Some(head), Some(tail)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let tail = u128::from(u32::from_le_bytes(*tail));
        u128::from(u32::from_le_bytes(*head)) | tail << (8 * (length - 4))
    } else {
        bytes.iter().rev().fold(0, |integer, byte| integer << 8 | u128::from(*byte))
    }
}

/// The 16 bytes of `text` that start at `offset`.
#[inline]
pub(crate) fn block_at(text: &[u8], offset: usize) -> Block {
    let mut block = [0; BLOCK_BYTES];
    block.copy_from_slice(&text[offset..offset + BLOCK_BYTES]);
    block
}

#[inline]
pub(crate) fn xor(left: &Block, right: &Block) -> Block {
    (u128::from_ne_bytes(*left) ^ u128::from_ne_bytes(*right)).to_ne_bytes()
}

/// Multiplication by x in GF(2^128) (SP 800-38B section 6.1, RFC 5297 section 2.3), without a
/// branch on the block's bits.
#[inline]
pub(crate) fn double(block: &Block) -> Block {
    let integer = u128::from_be_bytes(*block);
    let carry = integer >> 127;
    (integer << 1 ^ carry.wrapping_neg() & 0x87).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_partial_agrees_with_a_copy_at_every_length() {
        let text: Vec<u8> = (0x81..0x90).collect();
        for length in 0..=text.len() {
            let mut block = [0; BLOCK_BYTES];
            block[..length].copy_from_slice(&text[..length]);
            assert_eq!(load_partial(&text[..length]), u128::from_le_bytes(block));
        }
    }

    #[test]
    fn doubling_reduces_by_the_polynomial_when_a_bit_falls_out() {
        let mut high = [0; BLOCK_BYTES];
        high[0] = 0x80;
        let mut reduced = [0; BLOCK_BYTES];
        reduced[15] = 0x87;
        assert_eq!(double(&high), reduced);
        assert_eq!(double(&reduced)[14..], [0x01, 0x0e]);
    }
}
