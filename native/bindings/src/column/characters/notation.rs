//! How a value's characters are read and written: as the bytes of a one-byte alphabet, or as numerals of any other.

use super::Characters;
use crate::column::Work;
use crate::column::invalid::Reason;
use crate::failure::{Code, Failure};
use tokenkit_algorithms::aes::AesKey;
use tokenkit_algorithms::alphabet::Alphabet;
use tokenkit_algorithms::ff1::{AsciiFf1, Direction, Ff1, Parameters, Tweak};
use zeroize::Zeroize;

/// Reads values into symbols, encrypts symbols, and writes them back.
pub trait Notation {
    /// One character of the alphabet.
    type Symbol: Copy + Default + Zeroize;
    /// FF1 over symbols.
    type Cipher<'k>
    where
        Self: 'k;

    /// Appends the value's symbols, separators left out.
    fn read(&self, value: &[u8], symbols: &mut Vec<Self::Symbol>) -> Result<(), Reason>;

    /// Appends the value with its symbols replaced by others, in order.
    fn write(&self, value: &[u8], symbols: &[Self::Symbol], text: &mut Vec<u8>);

    /// Replaces `digits` by the symbols' numerals; the alphabet is 0123456789.
    fn digits(symbols: &[Self::Symbol], digits: &mut Vec<u8>);

    /// The numeral's symbol.
    fn symbol(&self, numeral: u16) -> Self::Symbol;

    /// Appends symbols as text.
    fn text(&self, symbols: &[Self::Symbol], text: &mut String);

    /// FF1 for values of one length.
    fn cipher<'k>(
        &'k self,
        work: &Work<'k, AesKey>,
        parameters: Parameters,
        tweak: Tweak<'_>,
    ) -> Result<Self::Cipher<'k>, Failure>;

    /// Symbols from one value to the next in a batch.
    fn stride(cipher: &Self::Cipher<'_>) -> usize;

    /// Encrypts or decrypts a batch whose symbols are all of the alphabet.
    fn apply(
        cipher: &Self::Cipher<'_>,
        direction: Direction,
        source: &[Self::Symbol],
        target: &mut [Self::Symbol],
        tweaks: &[u8],
    ) -> Result<(), Failure>;
}

fn refused<E>(_: E) -> Failure {
    Failure::new(Code::Scheme, "FF1 refuses this tweak")
}

/// One-byte alphabets: a symbol is the character's byte.
pub struct Ascii<'a> {
    alphabet: &'a Alphabet,
    classes: [Class; 256],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Foreign,
    Symbol,
    Separator,
}

impl<'a> Ascii<'a> {
    pub(super) fn new(characters: &'a Characters) -> Self {
        let mut classes = [Class::Foreign; 256];
        for (class, &numeral) in classes.iter_mut().zip(characters.alphabet.ascii_numerals()) {
            if numeral != u8::MAX {
                *class = Class::Symbol;
            }
        }
        for &separator in &characters.separators {
            if separator.is_ascii() {
                classes[separator as usize] = Class::Separator;
            }
        }
        Ascii { alphabet: &characters.alphabet, classes }
    }
}

impl Notation for Ascii<'_> {
    type Symbol = u8;
    type Cipher<'k>
        = AsciiFf1<'k, 'k>
    where
        Self: 'k;

    #[inline]
    fn read(&self, value: &[u8], symbols: &mut Vec<u8>) -> Result<(), Reason> {
        // Most values have no separator; this loop has no branch.
        if value.iter().fold(true, |plain, &byte| plain & (self.classes[usize::from(byte)] == Class::Symbol)) {
            symbols.extend_from_slice(value);
            return Ok(());
        }
        let start = symbols.len();
        let mut previous = Class::Separator;
        let mut misplaced = false;
        for &byte in value {
            let class = self.classes[usize::from(byte)];
            match class {
                Class::Symbol => symbols.push(byte),
                Class::Separator => misplaced |= previous == Class::Separator,
                Class::Foreign => return Err(Reason::Character),
            }
            previous = class;
        }
        let ends_in_separator = symbols.len() > start && previous == Class::Separator;
        if misplaced || ends_in_separator { Err(Reason::Pattern) } else { Ok(()) }
    }

    #[inline]
    fn write(&self, value: &[u8], symbols: &[u8], text: &mut Vec<u8>) {
        if value.len() == symbols.len() {
            text.extend_from_slice(symbols);
            return;
        }
        let mut next = symbols.iter();
        text.extend(value.iter().map(|&byte| match self.classes[usize::from(byte)] {
            Class::Symbol => next.next().copied().unwrap_or_default(),
            _ => byte,
        }));
    }

    #[inline]
    fn digits(symbols: &[u8], digits: &mut Vec<u8>) {
        digits.clear();
        digits.extend(symbols.iter().map(|&symbol| symbol.wrapping_sub(b'0')));
    }

    #[inline]
    fn symbol(&self, numeral: u16) -> u8 {
        self.alphabet.character(numeral) as u8
    }

    fn text(&self, symbols: &[u8], text: &mut String) {
        text.extend(symbols.iter().map(|&byte| char::from(byte)));
    }

    fn cipher<'k>(
        &'k self,
        work: &Work<'k, AesKey>,
        parameters: Parameters,
        tweak: Tweak<'_>,
    ) -> Result<AsciiFf1<'k, 'k>, Failure> {
        AsciiFf1::new(work.key, work.kernel, self.alphabet, parameters, tweak).map_err(refused)
    }

    fn stride(cipher: &AsciiFf1<'_, '_>) -> usize {
        cipher.stride()
    }

    fn apply(
        cipher: &AsciiFf1<'_, '_>,
        direction: Direction,
        source: &[u8],
        target: &mut [u8],
        tweaks: &[u8],
    ) -> Result<(), Failure> {
        let mut wrong = Vec::new();
        cipher.apply(direction, source, target, tweaks, &mut wrong);
        if wrong.is_empty() { Ok(()) } else { Err(Failure::new(Code::NativeDefect, "a checked symbol was refused")) }
    }
}

/// Any alphabet: a symbol is the character's numeral.
pub struct Numerals<'a> {
    alphabet: &'a Alphabet,
    separators: &'a [char],
}

impl<'a> Numerals<'a> {
    pub(super) fn new(characters: &'a Characters) -> Self {
        Numerals { alphabet: &characters.alphabet, separators: &characters.separators }
    }
}

/// Arrow promises UTF-8; a producer that breaks the promise gets its value refused, not a panic.
fn decode(value: &[u8]) -> Result<&str, Reason> {
    std::str::from_utf8(value).map_err(|_| Reason::Encoding)
}

impl Notation for Numerals<'_> {
    type Symbol = u16;
    type Cipher<'k>
        = (Ff1<'k>, usize)
    where
        Self: 'k;

    fn read(&self, value: &[u8], symbols: &mut Vec<u16>) -> Result<(), Reason> {
        let mut after_separator = true;
        let mut misplaced = false;
        for character in decode(value)?.chars() {
            if let Some(numeral) = self.alphabet.numeral(character) {
                symbols.push(numeral);
                after_separator = false;
            } else if self.separators.contains(&character) {
                misplaced |= after_separator;
                after_separator = true;
            } else {
                return Err(Reason::Character);
            }
        }
        if misplaced || after_separator { Err(Reason::Pattern) } else { Ok(()) }
    }

    fn write(&self, value: &[u8], symbols: &[u16], text: &mut Vec<u8>) {
        let mut next = symbols.iter();
        let mut encoded = [0; 4];
        for character in decode(value).unwrap_or_default().chars() {
            let written = if self.separators.contains(&character) {
                character
            } else {
                next.next().map_or(char::REPLACEMENT_CHARACTER, |&numeral| self.alphabet.character(numeral))
            };
            text.extend_from_slice(written.encode_utf8(&mut encoded).as_bytes());
        }
    }

    fn digits(symbols: &[u16], digits: &mut Vec<u8>) {
        digits.clear();
        digits.extend(symbols.iter().map(|&numeral| numeral as u8));
    }

    fn symbol(&self, numeral: u16) -> u16 {
        numeral
    }

    fn text(&self, symbols: &[u16], text: &mut String) {
        text.extend(symbols.iter().map(|&numeral| self.alphabet.character(numeral)));
    }

    fn cipher<'k>(
        &'k self,
        work: &Work<'k, AesKey>,
        parameters: Parameters,
        tweak: Tweak<'_>,
    ) -> Result<(Ff1<'k>, usize), Failure> {
        let cipher = Ff1::new(work.key, work.kernel, parameters, tweak).map_err(refused)?;
        Ok((cipher, parameters.length()))
    }

    fn stride((_, length): &(Ff1<'_>, usize)) -> usize {
        *length
    }

    fn apply(
        (cipher, _): &(Ff1<'_>, usize),
        direction: Direction,
        source: &[u16],
        target: &mut [u16],
        tweaks: &[u8],
    ) -> Result<(), Failure> {
        target.copy_from_slice(source);
        cipher
            .apply(direction, target, tweaks)
            .map_err(|_| Failure::new(Code::NativeDefect, "a checked numeral was refused"))
    }
}
