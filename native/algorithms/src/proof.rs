//! The sum that proves a rekey, or what a job wrote (token contract, "Rekey and its proof").
//!
//! Every row of a column is one message, `u64be row ‖ u8 kind ‖ plaintext`; the sum of the messages' AES-CMACs, as
//! big-endian numbers modulo 2^128, doesn't depend on the order in which they are added. Two sums are equal if and only
//! if the same values stand in the same rows, but for a chance that is out of reach without the key.

use zeroize::{Zeroize, Zeroizing};

use crate::aes::{Block, InvalidKeyLength};
use crate::cmac::{BLOCK_BYTES, Cmac, xor};
use crate::derive::hmac_sha256;
use crate::kernel::Kernel;
use crate::locked::Locked;
use crate::scrub::scrubbed;

/// Bytes of a proof's key: one half for AES-CMAC, one for the HMAC over the sum.
pub const KEY_BYTES: usize = 64;
const HALF: usize = KEY_BYTES / 2;
const HEADER_BYTES: usize = 9;
/// Messages of one length, in blocks, that are advanced together.
const LANES: usize = 256;
/// Longer messages are chained one by one, which their length makes up for.
const MOST_BLOCKS: usize = 16;

/// What stands in a row. The numbers are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nothing.
    Null = 0,
    /// The empty string.
    Empty = 1,
    /// A value that the policy leaves as it is.
    Literal = 2,
    /// A value of the scheme.
    Value = 3,
    /// A value that didn't fit the scheme and was sealed.
    Sealed = 4,
}

/// How many kinds there are.
pub const KINDS: usize = 5;

/// The sum over some rows, and how many of each kind are in it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    total: u128,
    counts: [u64; KINDS],
}

impl Sum {
    /// Adds the sum over other rows.
    pub fn add(&mut self, other: &Sum) {
        self.total = self.total.wrapping_add(other.total);
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }

    /// How many rows of each kind there are, in the order of the kinds' numbers.
    #[must_use]
    pub fn counts(&self) -> [u64; KINDS] {
        self.counts
    }
}

/// The key of one column's proof in one run.
pub struct ProofKey {
    cmac: Cmac,
    mac: Locked<Zeroizing<[u8; HALF]>>,
}

impl ProofKey {
    /// Expands a key.
    ///
    /// # Errors
    /// None that a key of this length can have.
    pub fn new(key: &[u8; KEY_BYTES]) -> Result<ProofKey, InvalidKeyLength> {
        let mut mac = Locked::new(Zeroizing::new([0; HALF]));
        scrubbed(|| mac.copy_from_slice(&key[HALF..]));
        Ok(ProofKey { cmac: Cmac::new(&key[..HALF])?, mac })
    }

    /// The sum over rows: each is its number, its kind and its plaintext.
    pub fn sum<'a>(&self, kernel: Kernel, rows: impl Iterator<Item = (u64, Kind, &'a [u8])>) -> Sum {
        let mut sum = Sum::default();
        let mut groups: [Option<Group>; MOST_BLOCKS] = std::array::from_fn(|_| None);
        for (row, kind, text) in rows {
            sum.counts[kind as usize] += 1;
            let blocks = (HEADER_BYTES + text.len()).div_ceil(BLOCK_BYTES);
            match groups.get_mut(blocks - 1) {
                Some(group) => {
                    let group = group.get_or_insert_with(|| Group::new(blocks));
                    group.push(&self.cmac, row, kind, text);
                    if group.states.len() == LANES {
                        group.flush(&self.cmac, kernel, &mut sum.total);
                    }
                }
                None => sum.total = sum.total.wrapping_add(self.mac(kernel, row, kind, text)),
            }
        }
        for group in groups.iter_mut().flatten() {
            group.flush(&self.cmac, kernel, &mut sum.total);
        }
        sum
    }

    /// The MAC of one row, without its last 64 bits: enough to find rows by, not to prove them.
    #[must_use]
    pub fn mark(&self, kernel: Kernel, row: u64, kind: Kind, text: &[u8]) -> u64 {
        (self.mac(kernel, row, kind, text) >> 64) as u64
    }

    fn mac(&self, kernel: Kernel, row: u64, kind: Kind, text: &[u8]) -> u128 {
        let mut message = Zeroizing::new(Vec::with_capacity(HEADER_BYTES + text.len()));
        message.extend(row.to_be_bytes());
        message.push(kind as u8);
        message.extend(text);
        u128::from_be_bytes(self.cmac.mac(kernel, &message))
    }

    /// HMAC-SHA-256 over a sum and its counts: what is stored.
    #[must_use]
    pub fn authenticate(&self, sum: &Sum) -> [u8; 32] {
        let mut message = Zeroizing::new([0; BLOCK_BYTES + 8 * KINDS]);
        let (total, counts) = message.split_at_mut(BLOCK_BYTES);
        total.copy_from_slice(&sum.total.to_be_bytes());
        for (place, count) in counts.chunks_exact_mut(8).zip(sum.counts) {
            place.copy_from_slice(&count.to_be_bytes());
        }
        hmac_sha256(self.mac.as_slice(), &*message)
    }
}

/// Messages of one length in blocks that wait to be advanced together.
struct Group {
    blocks: usize,
    states: Vec<Block>,
    /// The other blocks of each message, one message after the other; masks and padding are applied.
    rest: Vec<Block>,
}

impl Group {
    fn new(blocks: usize) -> Group {
        Group { blocks, states: Vec::with_capacity(LANES), rest: Vec::with_capacity(LANES * (blocks - 1)) }
    }

    #[inline]
    fn push(&mut self, cmac: &Cmac, row: u64, kind: Kind, text: &[u8]) {
        let length = HEADER_BYTES + text.len();
        let mut first = [0; BLOCK_BYTES];
        first[..8].copy_from_slice(&row.to_be_bytes());
        first[8] = kind as u8;
        let (head, mut text) = text.split_at(text.len().min(BLOCK_BYTES - HEADER_BYTES));
        first[HEADER_BYTES..HEADER_BYTES + head.len()].copy_from_slice(head);
        let mut last = first;
        for step in 1..self.blocks {
            let (head, others) = text.split_at(text.len().min(BLOCK_BYTES));
            text = others;
            last = [0; BLOCK_BYTES];
            last[..head.len()].copy_from_slice(head);
            if step + 1 < self.blocks {
                self.rest.push(last);
            }
        }
        let mask = match length % BLOCK_BYTES {
            0 => cmac.full_mask(),
            rest => {
                last[rest] = 0x80;
                cmac.padded_mask()
            }
        };
        last = xor(&last, mask);
        if self.blocks == 1 {
            first = last;
        } else {
            self.rest.push(last);
        }
        self.states.push(first);
    }

    fn flush(&mut self, cmac: &Cmac, kernel: Kernel, total: &mut u128) {
        let others = self.blocks - 1;
        cmac.key().encrypt_blocks(kernel, &mut self.states);
        for step in 0..others {
            for (state, rest) in self.states.iter_mut().zip(self.rest.chunks_exact(others)) {
                *state = xor(state, &rest[step]);
            }
            cmac.key().encrypt_blocks(kernel, &mut self.states);
        }
        for state in &self.states {
            *total = total.wrapping_add(u128::from_be_bytes(*state));
        }
        self.states.clear();
        self.rest.clear();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Vec's zeroize covers the whole capacity, so also what earlier groups left there.
        self.states.zeroize();
        self.rest.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(key: &[u8; KEY_BYTES], rows: &[(u64, Kind, Vec<u8>)]) -> u128 {
        let cmac = Cmac::new(&key[..HALF]).unwrap();
        rows.iter().fold(0, |total: u128, (row, kind, text)| {
            let message = [&row.to_be_bytes()[..], &[*kind as u8], text].concat();
            total.wrapping_add(u128::from_be_bytes(cmac.mac(Kernel::PORTABLE, &message)))
        })
    }

    #[test]
    fn a_sum_is_that_of_the_macs_of_its_messages_at_every_length() {
        let key: [u8; KEY_BYTES] = std::array::from_fn(|index| index as u8);
        let kinds = [Kind::Null, Kind::Empty, Kind::Literal, Kind::Value, Kind::Sealed];
        let rows: Vec<_> = (0..2_000_u64)
            .map(|row| (row * 7, kinds[row as usize % 5], vec![row as u8; (row as usize * 31) % 300]))
            .collect();
        let proof = ProofKey::new(&key).unwrap();
        let sum = proof.sum(Kernel::best(), rows.iter().map(|(row, kind, text)| (*row, *kind, text.as_slice())));
        assert_eq!(sum.total, naive(&key, &rows));
        assert_eq!(sum.counts(), [400; KINDS]);
        let mut halves = proof.sum(Kernel::best(), rows[..999].iter().map(|(r, k, t)| (*r, *k, t.as_slice())));
        halves.add(&proof.sum(Kernel::best(), rows[999..].iter().map(|(r, k, t)| (*r, *k, t.as_slice()))));
        assert!(halves == sum);
        assert_eq!(proof.authenticate(&halves), proof.authenticate(&sum));
    }
}
