//! Format-preserving tokens: FF1 over the characters of a value, for any alphabet, with separators that stay where
//! they are, kept parts that go into the tweak, and check digits.
//!
//! [`plain`] is the fast path for values that are nothing but characters of a one-byte alphabet; [`composed`] does
//! everything else.

mod composed;
mod notation;
mod plain;
mod tweak;

use super::Work;
use super::invalid::Invalid;
use super::sink::Sink;
use super::strings::Strings;
use crate::failure::{Code, Failure};
use notation::{Ascii, Notation, Numerals};
use tokenkit_algorithms::aes::AesKey;
use tokenkit_algorithms::alphabet::Alphabet;
use tokenkit_algorithms::check_digit::luhn_sum;
use tokenkit_algorithms::ff1::{Direction, DomainMinimum, ParameterError, Parameters};

pub use tweak::{TweakColumn, TweakRule};

/// Symbols that a batch holds before it is encrypted: enough to fill every vector lane, few enough to stay in the
/// processor's first-level cache.
const BATCH_SYMBOLS: usize = 1 << 13;
const BATCH_ROWS: usize = 256;

fn batch_rows(stride: usize) -> usize {
    (BATCH_SYMBOLS / stride.max(1)).clamp(1, BATCH_ROWS)
}

/// What the check digit of a token looks like; the input's must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckDigit {
    /// The token's holds too.
    Valid,
    /// The token's is off by one, so that the token can't be a live number.
    Invalid,
}

impl CheckDigit {
    /// What the Luhn sum is, modulo 10, before (`Encrypt`) or after FF1 is undone (`Decrypt`).
    fn source_residue(self, direction: Direction) -> u8 {
        match (self, direction) {
            (CheckDigit::Invalid, Direction::Decrypt) => 1,
            _ => 0,
        }
    }

    fn target_residue(self, direction: Direction) -> u8 {
        match (self, direction) {
            (CheckDigit::Invalid, Direction::Encrypt) => 1,
            _ => 0,
        }
    }
}

/// How a value's characters become a token's.
pub struct Characters {
    alphabet: Alphabet,
    separators: Vec<char>,
    min_length: usize,
    max_length: usize,
    keep_first: usize,
    keep_last: usize,
    check_digit: Option<CheckDigit>,
    minimum: DomainMinimum,
    tweak: TweakRule,
}

/// The shape of a [`Characters`] method, as a specification gives it.
pub struct Shape {
    /// Characters, in the order of their numerals.
    pub alphabet: String,
    /// Characters that stay where they are.
    pub separators: String,
    /// Fewest characters of the alphabet, kept ones and the check digit included.
    pub min_length: usize,
    /// Most characters of the alphabet.
    pub max_length: usize,
    /// Characters at the start that stay as they are.
    pub keep_first: usize,
    /// Characters at the end that stay as they are.
    pub keep_last: usize,
    /// What the token's check digit looks like, if values have one that counts.
    pub check_digit: Option<CheckDigit>,
    /// The smallest domain that is accepted.
    pub minimum: DomainMinimum,
    /// Where the tweak comes from.
    pub tweak: TweakRule,
}

const DIGITS: &str = "0123456789";
/// The first and the last kept part are counted in four bits each.
const MOST_KEPT: usize = 15;

impl Characters {
    /// Checks a shape: afterwards no value can make FF1 refuse its length.
    pub fn new(shape: Shape) -> Result<Characters, Failure> {
        let refuse = |message: &str| Err(Failure::new(Code::Scheme, message));
        let Ok(alphabet) = Alphabet::new(&shape.alphabet) else {
            return refuse("an alphabet has 2 to 65536 characters, each once");
        };
        if shape.separators.chars().any(|separator| alphabet.numeral(separator).is_some()) {
            return refuse("a separator can't be a character of the alphabet too");
        }
        if shape.check_digit.is_some() && shape.alphabet != DIGITS {
            return refuse("check digits need the alphabet 0123456789");
        }
        if shape.keep_first > MOST_KEPT || shape.keep_last > MOST_KEPT {
            return refuse("at most 15 characters can be kept at either end");
        }
        let fixed = shape.keep_first + shape.keep_last + usize::from(shape.check_digit.is_some());
        let Some(shortest) = shape.min_length.checked_sub(fixed) else {
            return refuse("the shortest accepted value has no character left to tokenize");
        };
        if shape.max_length < shape.min_length {
            return refuse("the longest accepted length is below the shortest");
        }
        match Parameters::new(alphabet.radix(), shortest, shape.minimum) {
            Ok(_) => {}
            Err(error) if error == ParameterError::DomainTooSmall || shortest < 2 => {
                return Err(Failure::new(
                    Code::DomainTooSmall,
                    "the shortest accepted value has too few possible tokens (at least 1000000, or 100 if small \
                     domains are allowed)",
                )
                .with_hint("raise min_length, keep less, or set allow_small_domain"));
            }
            Err(_) => return refuse("FF1 takes 2 to 65536 characters"),
        }
        if Parameters::new(alphabet.radix(), shape.max_length - fixed, shape.minimum).is_err() {
            return refuse("FF1 takes 2 to 65536 characters");
        }
        Ok(Characters {
            separators: shape.separators.chars().collect(),
            min_length: shape.min_length,
            max_length: shape.max_length,
            keep_first: shape.keep_first,
            keep_last: shape.keep_last,
            check_digit: shape.check_digit,
            minimum: shape.minimum,
            tweak: shape.tweak,
            alphabet,
        })
    }

    /// Whether a token has exactly as many bytes as the value that it stands for.
    pub fn keeps_byte_length(&self) -> bool {
        self.alphabet.is_ascii()
    }

    /// Whether a character is one of the alphabet.
    pub fn has_character(&self, character: char) -> bool {
        self.alphabet.numeral(character).is_some()
    }

    /// Whether numbers of so many digits can be turned.
    pub fn takes_digits(&self, width: usize) -> bool {
        self.has_digit_alphabet() && (self.min_length..=self.max_length).contains(&width)
    }

    /// Whether a literal could be taken for a token where tokens are other strings than values are.
    pub fn mistakes_for_token(&self, literal: &[u8]) -> bool {
        let Some(CheckDigit::Invalid) = self.check_digit else { return false };
        let mut symbols = Vec::new();
        let read = Numerals::new(self).read(literal, &mut symbols);
        let digits: Vec<u8> = symbols.iter().map(|&symbol| symbol as u8).collect();
        read.is_ok()
            && (self.min_length..=self.max_length).contains(&digits.len())
            && luhn_sum(&digits) == CheckDigit::Invalid.source_residue(Direction::Decrypt)
    }

    fn is_plain(&self) -> bool {
        self.alphabet.is_ascii()
            && self.separators.is_empty()
            && self.keep_first + self.keep_last == 0
            && self.check_digit.is_none()
            && self.tweak.shared(self.keeps_any()).is_some()
    }

    fn keeps_any(&self) -> bool {
        self.keep_first + self.keep_last > 0
    }

    /// Whether the alphabet is 0123456789.
    pub fn has_digit_alphabet(&self) -> bool {
        self.alphabet.radix() == 10
            && (0..10).all(|digit| self.alphabet.character(digit) == char::from(b'0' + digit as u8))
    }

    /// The characters of a value that FF1 gets, of `length` in all.
    fn body_length(&self, length: usize) -> usize {
        length - self.keep_first - self.keep_last - usize::from(self.check_digit.is_some())
    }

    fn parameters(&self, body: usize) -> Result<Parameters, Failure> {
        Parameters::new(self.alphabet.radix(), body, self.minimum)
            .map_err(|_| Failure::new(Code::NativeDefect, "a length passed the checks that FF1 refuses"))
    }

    /// Turns every row of a column.
    pub fn run<C: Strings, S: Sink>(
        &self,
        work: &Work<'_, AesKey>,
        column: &C,
        rows: usize,
        tweaks: Option<&TweakColumn<'_>>,
        sink: &mut S,
        invalid: &mut Invalid,
    ) -> Result<(), Failure> {
        // A literal that no token can equal needs no walk.
        if self.is_plain() && !work.literals.iter().any(|literal| plain::takes(self, literal)) {
            plain::run(self, work, column, rows, sink, invalid)
        } else if self.alphabet.is_ascii() && self.separators.iter().all(char::is_ascii) {
            composed::run(self, &Ascii::new(self), work, column, rows, tweaks, sink, invalid)
        } else {
            composed::run(self, &Numerals::new(self), work, column, rows, tweaks, sink, invalid)
        }
    }
}
