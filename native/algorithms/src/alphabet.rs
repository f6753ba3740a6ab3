//! Alphabets: the characters that stand for the numerals of a radix.

use std::fmt;

/// 2 to 65,536 distinct Unicode scalar values; a character's position is its numeral.
#[derive(Clone)]
pub struct Alphabet {
    characters: Box<[char]>,
    /// For each block of 256 code points, which page of `pages` holds its numerals.
    page_of_block: Box<[u16]>,
    pages: Vec<[u32; 256]>,
    ascii_numerals: Box<[u8; 256]>,
    is_ascii: bool,
}

/// In a page: the character is not in the alphabet.
const ABSENT: u32 = u32::MAX;
/// Blocks of 256 code points from U+0000 to U+10FFFF.
const BLOCKS: usize = 0x1100;

/// Why a text cannot be an alphabet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlphabetError {
    /// Fewer than two characters.
    TooShort,
    /// More than 65,536 characters.
    TooLong,
    /// A character occurs twice.
    Duplicate,
}

impl fmt::Display for AlphabetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            AlphabetError::TooShort => "an alphabet needs at least 2 characters",
            AlphabetError::TooLong => "an alphabet has at most 65,536 characters",
            AlphabetError::Duplicate => "an alphabet holds each character once",
        })
    }
}

impl std::error::Error for AlphabetError {}

impl Alphabet {
    /// The alphabet of the characters in the order given.
    ///
    /// # Errors
    /// [`AlphabetError`] if there are too few or too many, or one occurs twice.
    pub fn new(characters: &str) -> Result<Alphabet, AlphabetError> {
        let count = characters.chars().take(65_537).count();
        if count < 2 {
            return Err(AlphabetError::TooShort);
        }
        if count > 65_536 {
            return Err(AlphabetError::TooLong);
        }
        let characters: Box<[char]> = characters.chars().collect();
        // Page 0 stays empty and serves every block that holds no character of the alphabet.
        let mut page_of_block = vec![0u16; BLOCKS].into_boxed_slice();
        let mut pages = vec![[ABSENT; 256]];
        let mut ascii_numerals = Box::new([255u8; 256]);
        for (numeral, &character) in (0u32..).zip(&characters) {
            let code = character as usize;
            if page_of_block[code / 256] == 0 {
                // At most 4,352 pages, so the index fits.
                page_of_block[code / 256] = pages.len() as u16;
                pages.push([ABSENT; 256]);
            }
            let entry = &mut pages[usize::from(page_of_block[code / 256])][code % 256];
            if *entry != ABSENT {
                return Err(AlphabetError::Duplicate);
            }
            *entry = numeral;
            if character.is_ascii() && numeral < 255 {
                ascii_numerals[code] = numeral as u8;
            }
        }
        let is_ascii = characters.iter().all(char::is_ascii);
        Ok(Alphabet { characters, page_of_block, pages, ascii_numerals, is_ascii })
    }

    /// The number of characters.
    #[must_use]
    pub fn radix(&self) -> u32 {
        self.characters.len() as u32
    }

    /// Whether every character is ASCII, which bounds the radix by 128.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.is_ascii
    }

    /// The numeral that the character stands for, if it is in the alphabet.
    #[must_use]
    #[inline]
    pub fn numeral(&self, character: char) -> Option<u16> {
        let code = character as usize;
        let numeral = self.pages[usize::from(self.page_of_block[code / 256])][code % 256];
        (numeral != ABSENT).then_some(numeral as u16)
    }

    /// The character of a numeral.
    ///
    /// # Panics
    /// If the numeral is not below the radix.
    #[must_use]
    #[inline]
    pub fn character(&self, numeral: u16) -> char {
        self.characters[usize::from(numeral)]
    }

    /// The numeral of every byte, 255 for a byte that is not in the alphabet.
    ///
    /// Only meaningful if [`Alphabet::is_ascii`] holds.
    #[must_use]
    pub fn ascii_numerals(&self) -> &[u8; 256] {
        &self.ascii_numerals
    }
}

impl fmt::Debug for Alphabet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Alphabet({} characters)", self.characters.len())
    }
}
