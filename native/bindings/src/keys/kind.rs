//! Kinds of keys: tokenkit's own, from which a subkey is derived for every use, and keys of one algorithm that others made.

use crate::failure::{Code, Failure};

/// The most bytes that a key of any kind has.
pub const MOST_BYTES: usize = 64;

/// What kind of key a version is. The numbers stand in keyring files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// 32 random bytes, never used but to derive subkeys.
    Tokenkit = 0,
    /// Imported: AES-SIV with these 64 bytes, and nothing else.
    RawAesSiv = 1,
    /// Imported: HMAC-SHA-256 with these 16 to 64 bytes, and nothing else.
    RawHmac = 2,
}

impl Kind {
    /// The kind of a raw key's number.
    pub fn of(number: u8) -> Option<Kind> {
        [Kind::RawAesSiv, Kind::RawHmac].into_iter().find(|&kind| kind as u8 == number)
    }

    /// Its name, which for raw kinds is the token contract's.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Tokenkit => "tokenkit",
            Kind::RawAesSiv => "raw:aes-siv",
            Kind::RawHmac => "raw:hmac",
        }
    }

    /// Whether a key of this kind may have so many bytes.
    pub fn takes(self, bytes: usize) -> bool {
        match self {
            Kind::Tokenkit => bytes == 32,
            Kind::RawAesSiv => bytes == 64,
            Kind::RawHmac => (16..=64).contains(&bytes),
        }
    }

    /// Says that a raw key is for its algorithm alone.
    pub fn refusal(self) -> Failure {
        let algorithm = if self == Kind::RawHmac { "HMAC" } else { "AES-SIV" };
        Failure::new(Code::InvalidKey, format!("the key version was imported for {algorithm}, and does nothing else"))
            .with_hint("use a key that tokenkit made: tokenkit keys add FILE NAME")
    }
}
