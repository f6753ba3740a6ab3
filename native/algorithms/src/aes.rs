//! AES-128, AES-192 and AES-256 (FIPS 197) over many blocks at once.

#[cfg(target_arch = "x86_64")]
mod key_schedule;
#[cfg(target_arch = "x86_64")]
pub(crate) mod vector;

use std::fmt;

use ::aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use ::aes::{Aes128, Aes192, Aes256};

#[cfg(target_arch = "x86_64")]
pub(crate) use self::key_schedule::RoundKeys;
use crate::kernel::Kernel;
use crate::locked::Locked;
use crate::scrub::scrubbed;

/// One AES block.
pub type Block = [u8; 16];

/// The key does not have a length that the algorithm accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidKeyLength;

impl fmt::Display for InvalidKeyLength {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the key does not have a length that the algorithm accepts")
    }
}

impl std::error::Error for InvalidKeyLength {}

/// An expanded AES key, for encryption only.
///
/// The round keys live in locked memory, are borrowed by every computation and are overwritten when the
/// key is dropped. Expansion looks up no table by key bytes.
pub struct AesKey {
    cipher: Cipher,
    #[cfg(target_arch = "x86_64")]
    round_keys: Locked<RoundKeys>,
}

enum Cipher {
    Aes128(Locked<Aes128>),
    Aes192(Locked<Aes192>),
    Aes256(Locked<Aes256>),
}

impl AesKey {
    /// Expands a key of 16, 24 or 32 bytes, and leaves nothing of it in registers and on the stack.
    ///
    /// # Errors
    /// [`InvalidKeyLength`] for any other length.
    pub fn new(key: &[u8]) -> Result<AesKey, InvalidKeyLength> {
        scrubbed(|| AesKey::expand(key))
    }

    fn expand(key: &[u8]) -> Result<AesKey, InvalidKeyLength> {
        fn locked<C: KeyInit>(key: &[u8]) -> Result<Locked<C>, InvalidKeyLength> {
            C::new_from_slice(key).map(Locked::new).map_err(|_| InvalidKeyLength)
        }
        let cipher = match key.len() {
            16 => Cipher::Aes128(locked(key)?),
            24 => Cipher::Aes192(locked(key)?),
            32 => Cipher::Aes256(locked(key)?),
            _ => return Err(InvalidKeyLength),
        };
        Ok(AesKey {
            cipher,
            #[cfg(target_arch = "x86_64")]
            round_keys: RoundKeys::expand(key),
        })
    }

    /// The size of the key in bits: 128, 192 or 256.
    #[must_use]
    pub fn bits(&self) -> u32 {
        match self.cipher {
            Cipher::Aes128(_) => 128,
            Cipher::Aes192(_) => 192,
            Cipher::Aes256(_) => 256,
        }
    }

    /// Encrypts every block on its own (the raw block cipher, which FF1, CMAC and CTR are built of).
    pub fn encrypt_blocks(&self, kernel: Kernel, blocks: &mut [Block]) {
        #[cfg(target_arch = "x86_64")]
        if kernel.is_vector() {
            // SAFETY: a vector kernel exists only on a processor that has the extensions.
            return unsafe { vector::encrypt_blocks(&self.round_keys, blocks) };
        }
        let _ = kernel;
        let blocks = Array::cast_slice_from_core_mut(blocks);
        match &self.cipher {
            Cipher::Aes128(cipher) => cipher.encrypt_blocks(blocks),
            Cipher::Aes192(cipher) => cipher.encrypt_blocks(blocks),
            Cipher::Aes256(cipher) => cipher.encrypt_blocks(blocks),
        }
    }

    /// Encrypts one block.
    pub fn encrypt_block(&self, block: &mut Block) {
        self.encrypt_blocks(Kernel::PORTABLE, std::slice::from_mut(block));
    }

    /// The round keys as the vector kernel reads them.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn round_keys(&self) -> &RoundKeys {
        &self.round_keys
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AesKey({} bits)", self.bits())
    }
}
