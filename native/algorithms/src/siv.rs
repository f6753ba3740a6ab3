//! AES-SIV (RFC 5297): deterministic authenticated encryption, for one value or a whole batch.
//!
//! A batch runs in lockstep: the S2V chains of many values advance together, and the counter
//! blocks of consecutive values fill one buffer, so that the block cipher always gets many
//! independent blocks. What does not depend on the value (the CMAC subkeys, the associated data's
//! share of S2V) is computed once.

mod keystream;

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::aes::{AesKey, Block, InvalidKeyLength};
use crate::cmac::{self, BLOCK_BYTES, Cmac, Message, block_at, double, xor};
use crate::kernel::Kernel;
use crate::locked::Locked;
use crate::scrub::scrubbed;
use keystream::Keystream;

/// The bytes that sealing adds to a value: the synthetic IV, V.
pub const TAG_BYTES: usize = BLOCK_BYTES;

/// The most components of associated data that S2V is defined for: RFC 5297 section 7 allows 127
/// strings, and the plaintext is one of them.
pub const MAX_ASSOCIATED_COMPONENTS: usize = 126;

/// How many values pass through S2V before their counter blocks are computed. Large enough to
/// keep the lanes full, small enough that the values stay in the cache between the two.
const WINDOW: usize = 2048;

/// The sealed value was not made with this key and associated data, or was changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAuthentic;

impl fmt::Display for NotAuthentic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sealed value does not authenticate under this key and associated data")
    }
}

impl std::error::Error for NotAuthentic {}

/// An AES-SIV key: the first half of the key bytes is for S2V, the second half for CTR.
pub struct Siv {
    mac: Cmac,
    encryption: AesKey,
    /// The CMAC of the zero block, with which S2V starts.
    start: Locked<Zeroizing<Block>>,
}

impl fmt::Debug for Siv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Siv").finish_non_exhaustive()
    }
}

impl Siv {
    /// Takes a key of 32, 48 or 64 bytes (AES-128, AES-192 or AES-256).
    pub fn new(key: &[u8]) -> Result<Siv, InvalidKeyLength> {
        // An odd length leaves halves of different sizes, of which AES refuses at least one.
        let (mac_key, encryption_key) = key.split_at(key.len() / 2);
        let mac = Cmac::new(mac_key)?;
        let encryption = AesKey::new(encryption_key)?;
        let mut start = Locked::new(Zeroizing::new([0; BLOCK_BYTES]));
        scrubbed(|| **start = mac.mac(Kernel::PORTABLE, &[0; BLOCK_BYTES]));
        Ok(Siv { mac, encryption, start })
    }

    /// Encrypts one value: V (16 bytes), then the ciphertext, as long as the plaintext.
    ///
    /// # Panics
    ///
    /// If there are more than [`MAX_ASSOCIATED_COMPONENTS`] components of associated data.
    pub fn seal(&self, kernel: Kernel, associated: &[&[u8]], plaintext: &[u8]) -> Vec<u8> {
        assert!(
            associated.len() <= MAX_ASSOCIATED_COMPONENTS,
            "AES-SIV takes at most {MAX_ASSOCIATED_COMPONENTS} components of associated data"
        );
        let prefix = self.prefix(kernel, associated);
        let mut sealed = vec![0; TAG_BYTES + plaintext.len()];
        self.seal_window(kernel, &prefix, &[plaintext], &mut sealed);
        sealed
    }

    /// Decrypts what [`Siv::seal`] made, and refuses anything else.
    pub fn open(&self, kernel: Kernel, associated: &[&[u8]], sealed: &[u8]) -> Result<Vec<u8>, NotAuthentic> {
        if associated.len() > MAX_ASSOCIATED_COMPONENTS || sealed.len() < TAG_BYTES {
            return Err(NotAuthentic);
        }
        let prefix = self.prefix(kernel, associated);
        let mut plaintext = vec![0; sealed.len() - TAG_BYTES];
        let mut authentic = [false];
        self.open_window(kernel, &prefix, &[sealed], &mut plaintext, &mut authentic);
        match authentic {
            [true] => Ok(plaintext),
            [false] => Err(NotAuthentic),
        }
    }

    /// Encrypts many values, all with the one associated-data component `associated`. The target
    /// takes the sealed values one after the other, each 16 bytes longer than its plaintext.
    ///
    /// # Panics
    ///
    /// If the target's length is not the sum of the sealed values' lengths.
    pub fn seal_batch(&self, kernel: Kernel, associated: &[u8], values: &[&[u8]], target: &mut [u8]) {
        let length = |values: &[&[u8]]| values.iter().map(|v| v.len() + TAG_BYTES).sum::<usize>();
        assert_eq!(target.len(), length(values), "the target must have room for every sealed value, and no more");
        let prefix = self.prefix(kernel, &[associated]);
        let mut target = target;
        for window in values.chunks(WINDOW) {
            let (part, rest) = target.split_at_mut(length(window));
            self.seal_window(kernel, &prefix, window, part);
            target = rest;
        }
    }

    /// Decrypts many values sealed with the one associated-data component `associated`. The target
    /// takes the plaintexts one after the other, each 16 bytes shorter than its sealed value, or
    /// empty if that has fewer than 16 bytes. A value that does not authenticate leaves zeros in
    /// the target and `false` in `authentic`.
    ///
    /// # Panics
    ///
    /// If the target's length is not the sum of the plaintexts' lengths, or if `authentic` does
    /// not have one element a value.
    pub fn open_batch(
        &self,
        kernel: Kernel,
        associated: &[u8],
        sealed: &[&[u8]],
        target: &mut [u8],
        authentic: &mut [bool],
    ) {
        let length = |sealed: &[&[u8]]| sealed.iter().map(|s| body(s).len()).sum::<usize>();
        assert_eq!(target.len(), length(sealed), "the target must have room for every plaintext, and no more");
        assert_eq!(authentic.len(), sealed.len(), "authentic must have one element a value");
        let prefix = self.prefix(kernel, &[associated]);
        let mut target = target;
        for (window, authentic) in sealed.chunks(WINDOW).zip(authentic.chunks_mut(WINDOW)) {
            let (part, rest) = target.split_at_mut(length(window));
            self.open_window(kernel, &prefix, window, part, authentic);
            target = rest;
        }
    }

    fn seal_window(&self, kernel: Kernel, prefix: &Prefix, values: &[&[u8]], target: &mut [u8]) {
        let mut tags = vec![[0; TAG_BYTES]; values.len()];
        self.synthetic_ivs(kernel, prefix, values, &mut tags);
        self.apply_keystream(kernel, &tags, values, TAG_BYTES, target);
        let mut target = target;
        for (tag, value) in tags.iter().zip(values) {
            let (sealed, rest) = target.split_at_mut(TAG_BYTES + value.len());
            sealed[..TAG_BYTES].copy_from_slice(tag);
            target = rest;
        }
    }

    fn open_window(
        &self,
        kernel: Kernel,
        prefix: &Prefix,
        sealed: &[&[u8]],
        target: &mut [u8],
        authentic: &mut [bool],
    ) {
        let tags: Vec<Block> = sealed.iter().map(|sealed| sealed.first_chunk().copied().unwrap_or_default()).collect();
        let bodies: Vec<&[u8]> = sealed.iter().map(|sealed| body(sealed)).collect();
        self.apply_keystream(kernel, &tags, &bodies, 0, target);

        let mut expected = vec![[0; TAG_BYTES]; sealed.len()];
        let mut plaintexts = Vec::with_capacity(sealed.len());
        let mut rest = &*target;
        for body in &bodies {
            let (plaintext, after) = rest.split_at(body.len());
            plaintexts.push(plaintext);
            rest = after;
        }
        self.synthetic_ivs(kernel, prefix, &plaintexts, &mut expected);

        let mut start = 0;
        for (index, body) in bodies.iter().enumerate() {
            let equal = u128::from_ne_bytes(expected[index]).ct_eq(&u128::from_ne_bytes(tags[index]));
            authentic[index] = sealed[index].len() >= TAG_BYTES && bool::from(equal);
            let end = start + body.len();
            if !authentic[index] {
                target[start..end].fill(0);
                // This IV would make a forgery of the changed value; the others are public.
                expected[index].zeroize();
            }
            start = end;
        }
    }

    /// S2V's state after the associated data (RFC 5297 section 2.4, the loop), in the two forms
    /// in which the plaintext's last block needs it.
    fn prefix(&self, kernel: Kernel, associated: &[&[u8]]) -> Prefix {
        let mut state = **self.start;
        for component in associated {
            state = xor(&double(&state), &self.mac.mac(kernel, component));
        }
        Prefix { state, short: xor(&double(&state), self.mac.full_mask()) }
    }

    /// S2V of every value (RFC 5297 section 2.4, from "if len(Sn) >= 128" on).
    fn synthetic_ivs(&self, kernel: Kernel, prefix: &Prefix, values: &[&[u8]], tags: &mut [Block]) {
        let load = |index: usize| {
            let value = values[index];
            match value.len() {
                // dbl(D) xor pad(Sn) is one full block, so CMAC masks it with K1.
                0..BLOCK_BYTES => Message::new(value, xor(&cmac::pad(value), &prefix.short)),
                BLOCK_BYTES => {
                    let last = xor(&block_at(value, 0), &prefix.state);
                    Message::new(value, xor(&last, self.mac.full_mask()))
                }
                _ => self.message_with_state(prefix, value),
            }
        };
        self.mac.chain(kernel, values.len(), load, |index, tag| tags[index] = tag);
    }

    /// Sn xorend D for a value of more than one block: D goes over the last 16 bytes, which lie
    /// across the last two blocks unless the length is a multiple of 16.
    #[inline]
    fn message_with_state<'a>(&self, prefix: &Prefix, value: &'a [u8]) -> Message<'a> {
        let blocks = value.len().div_ceil(BLOCK_BYTES);
        let start = (blocks - 2) * BLOCK_BYTES;
        let last = value.len() - start - BLOCK_BYTES; // 1..=16 bytes in the last block
        let mut ending = [0; 2 * BLOCK_BYTES];
        ending[..BLOCK_BYTES].copy_from_slice(&block_at(value, start));
        let masked = xor(&block_at(value, value.len() - BLOCK_BYTES), &prefix.state);
        ending[last..last + BLOCK_BYTES].copy_from_slice(&masked);
        let mask = if last == BLOCK_BYTES {
            self.mac.full_mask()
        } else {
            ending[BLOCK_BYTES + last] = 0x80;
            self.mac.padded_mask()
        };
        let ending = [block_at(&ending, 0), xor(&block_at(&ending, BLOCK_BYTES), mask)];
        Message::with_ending(value, ending)
    }

    /// CTR (RFC 5297 section 2.5): every source, xored with the keystream that starts at its tag,
    /// goes to the target, behind a gap of `gap` bytes each.
    fn apply_keystream(&self, kernel: Kernel, tags: &[Block], sources: &[&[u8]], gap: usize, target: &mut [u8]) {
        let mut keystream = Keystream::new(&self.encryption, kernel, sources);
        let mut offset = 0;
        for (tag, source) in tags.iter().zip(sources) {
            offset += gap;
            keystream.push(tag, source, offset, target);
            offset += source.len();
        }
        keystream.flush(target);
    }
}

/// S2V's state D after the associated data.
struct Prefix {
    /// D itself, for a plaintext of 16 bytes or more.
    state: Block,
    /// dbl(D) xor K1, for a shorter plaintext.
    short: Block,
}

impl Drop for Prefix {
    fn drop(&mut self) {
        self.state.zeroize();
        self.short.zeroize();
    }
}

/// The bytes behind V; none if the sealed value is too short to have a V.
fn body(sealed: &[u8]) -> &[u8] {
    sealed.get(TAG_BYTES..).unwrap_or_default()
}
