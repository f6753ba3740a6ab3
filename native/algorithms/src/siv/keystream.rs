//! CTR mode (RFC 5297 section 2.5) over consecutive values, whose counter blocks share one buffer.

use zeroize::Zeroize;

use crate::aes::{AesKey, Block};
use crate::cmac::{BLOCK_BYTES, block_at, load_partial, xor};
use crate::kernel::Kernel;

/// How many counter blocks are encrypted in one call.
const COUNTER_BLOCKS: usize = 256;

/// Counter blocks of several values, which become keystream all at once.
pub(super) struct Keystream<'k, 's> {
    key: &'k AesKey,
    kernel: Kernel,
    capacity: usize,
    blocks: Vec<Block>,
    /// What the blocks are for, in order: each piece takes as many as it needs.
    pieces: Vec<Piece<'s>>,
}

impl Drop for Keystream<'_, '_> {
    fn drop(&mut self) {
        // Whoever has the keystream and the ciphertext has the plaintext.
        self.blocks.zeroize();
    }
}

/// Part of a source, and where its result goes in the target.
struct Piece<'s> {
    source: &'s [u8],
    offset: usize,
}

impl<'k, 's> Keystream<'k, 's> {
    /// Makes room for the counter blocks of `sources`, or of one call if they need more.
    pub(super) fn new(key: &'k AesKey, kernel: Kernel, sources: &[&[u8]]) -> Keystream<'k, 's> {
        let blocks = |source: &&[u8]| source.len().div_ceil(BLOCK_BYTES);
        let capacity = sources.iter().map(blocks).sum::<usize>().min(COUNTER_BLOCKS);
        Keystream { key, kernel, capacity, blocks: Vec::with_capacity(capacity), pieces: Vec::with_capacity(capacity) }
    }

    /// Adds one source, whose result starts at `offset` of the target.
    #[inline]
    pub(super) fn push(&mut self, tag: &Block, source: &'s [u8], offset: usize, target: &mut [u8]) {
        // RFC 5297 section 2.5: the 31st and 63rd bits from the right are cleared, so that
        // implementations may count in 32 or 64 bits.
        let mut counter = u128::from_be_bytes(*tag) & !(1 << 63 | 1 << 31);
        let mut rest = source;
        let mut offset = offset;
        while !rest.is_empty() {
            if self.blocks.len() == self.capacity {
                self.flush(target);
            }
            let room = (self.capacity - self.blocks.len()) * BLOCK_BYTES;
            let (source, after) = rest.split_at(rest.len().min(room));
            for _ in 0..source.len().div_ceil(BLOCK_BYTES) {
                self.blocks.push(counter.to_be_bytes());
                counter = counter.wrapping_add(1);
            }
            self.pieces.push(Piece { source, offset });
            offset += source.len();
            rest = after;
        }
    }

    /// Encrypts the counter blocks and applies them.
    pub(super) fn flush(&mut self, target: &mut [u8]) {
        self.key.encrypt_blocks(self.kernel, &mut self.blocks);
        let mut used = 0;
        for piece in &self.pieces {
            let length = piece.source.len();
            let count = length.div_ceil(BLOCK_BYTES);
            let bytes = self.blocks[used..used + count].as_flattened();
            used += count;
            xor_bytes(piece.source, &bytes[..length], &mut target[piece.offset..piece.offset + length]);
        }
        self.blocks.clear();
        self.pieces.clear();
    }
}

/// `target = source xor keystream`, all of one length.
#[inline]
fn xor_bytes(source: &[u8], keystream: &[u8], target: &mut [u8]) {
    let length = source.len();
    if length < BLOCK_BYTES {
        let bytes = load_partial(source) ^ load_partial(keystream);
        store_partial(&bytes.to_le_bytes(), target);
        return;
    }
    let mut offset = 0;
    while offset + BLOCK_BYTES <= length {
        let block = xor(&block_at(source, offset), &block_at(keystream, offset));
        target[offset..offset + BLOCK_BYTES].copy_from_slice(&block);
        offset += BLOCK_BYTES;
    }
    if offset < length {
        // The last 16 bytes once more, some of them for the second time: the target never is the
        // source, so that gives the same bytes, without a copy of a length unknown beforehand.
        let last = length - BLOCK_BYTES;
        let block = xor(&block_at(source, last), &block_at(keystream, last));
        target[last..].copy_from_slice(&block);
    }
}

/// The first bytes of `block` go to `target`, which has 1 to 15 of them.
#[inline]
fn store_partial(block: &Block, target: &mut [u8]) {
    let length = target.len();
    match length {
        8..BLOCK_BYTES => {
            target[..8].copy_from_slice(&block[..8]);
            target[length - 8..].copy_from_slice(&block[length - 8..length]);
        }
        4..8 => {
            target[..4].copy_from_slice(&block[..4]);
            target[length - 4..].copy_from_slice(&block[length - 4..length]);
        }
        _ => {
            for (to, from) in target.iter_mut().zip(block) {
                *to = *from;
            }
        }
    }
}
