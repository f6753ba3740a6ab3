//! Arrow columns in, Arrow columns out.
//!
//! [`Plan::run`] takes the chunks of a column and gives the tokens in the same type, or a struct of token and reason.
//! It never fails on a value: what doesn't fit is null with a reason, unless the plan says that it is an error.

mod characters;
mod dictionary;
mod digest;
mod fallback;
mod integers;
mod invalid;
mod layout;
mod literals;
mod memory;
mod normalization;
mod opened;
mod rekey;
mod sealed;
mod sink;
mod strings;
mod texts;
pub mod threads;
mod types;

pub use characters::{Characters, CheckDigit, Shape, TweakColumn, TweakRule};
pub use digest::{Digested, Digesting, Fate};
pub use fallback::Fallback;
pub use invalid::REASONS;
pub use literals::Literals;
pub use normalization::{Normalization, Step};
pub use rekey::{Proving, Rekey};
pub use sealed::{LONGEST_TEXT, Sealed};
pub use types::{Integers, check_type, outcome_type};

use crate::failure::{Code, Failure};
use crate::keys::Subkey;
use crate::keys::usage::Usage;
use arrow_array::{Array, ArrayRef, StructArray, cast::AsArray, downcast_dictionary_array, new_null_array};
use arrow_schema::DataType;
use invalid::Invalid;
use sink::Sink;
use std::sync::Arc;
use strings::Strings;
use tokenkit_algorithms::ff1::Direction;
use tokenkit_algorithms::kernel::Kernel;
use tokenkit_algorithms::scrub::scrubbed;

/// What to do with values that don't fit.
pub enum OnInvalid {
    /// Fail, with counts by reason.
    Error,
    /// Null.
    Null,
    /// Seal them; what can't be sealed fails as with `Error`.
    Seal(Fallback),
}

/// What comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The tokens, in the type of the values.
    Token,
    /// A struct of token and reason; values that don't fit never fail.
    Outcome,
}

/// How one kind of value becomes a token.
pub enum Method {
    /// Format-preserving, with FF1.
    Characters(Characters),
    /// Sealed, with AES-SIV.
    Sealed(Sealed),
}

/// What happens to values before and beside the method.
#[derive(Default)]
pub struct Treatment {
    /// Values that stay themselves.
    pub literals: Literals,
    /// How values are normalized before they are tokenized.
    pub normalization: Option<Normalization>,
    /// How integers are written.
    pub integers: Integers,
}

/// Everything that a column's call needs besides the column.
pub struct Plan {
    /// How values become tokens.
    pub method: Method,
    /// What happens before and beside that.
    pub treatment: Treatment,
    /// The subkey; FF1's for characters, AES-SIV's for sealed tokens.
    pub key: Arc<Subkey>,
    /// Where uses of the key version are counted; a raw key has no such place.
    pub usage: Option<Arc<Usage>>,
    /// Tokenize or detokenize.
    pub direction: Direction,
    /// What to do with values that don't fit.
    pub on_invalid: OnInvalid,
    /// What comes out.
    pub output: Output,
    /// The kernel to use.
    pub kernel: Kernel,
    /// The most threads to use for one column.
    pub threads: usize,
}

/// What one call works with.
pub struct Work<'k, K> {
    /// The subkey.
    pub key: &'k K,
    /// The kernel to use.
    pub kernel: Kernel,
    /// Tokenize or detokenize.
    pub direction: Direction,
    /// Values that stay themselves.
    pub literals: &'k Literals,
}

// Not derived: that would ask the key to be copied too.
impl<K> Clone for Work<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Work<'_, K> {}

impl Plan {
    /// The tokens of a column, chunk by chunk.
    pub fn run(
        &self,
        name: &str,
        chunks: &[ArrayRef],
        tweaks: Option<&TweakColumn<'_>>,
    ) -> Result<Vec<ArrayRef>, Failure> {
        let rows: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        if let Some(tweaks) = tweaks
            && tweaks.len() != rows
            && tweaks.len() != 1
        {
            return Err(Failure::new(
                Code::TweakMismatch,
                format!("the tweak column has {} rows, the values {rows}", tweaks.len()),
            )
            .with_column(name)
            .with_hint("give a tweak for each value, or one for all"));
        }
        let mut turned = Vec::with_capacity(chunks.len());
        let mut start = 0;
        for chunk in chunks {
            let tweaks = tweaks.map(|tweaks| tweaks.slice(start, chunk.len()));
            turned.push(self.turn(chunk, tweaks.as_ref()).map_err(|failure| failure.with_column(name))?);
            start += chunk.len();
        }
        self.count_use(chunks);
        let (tokens, invalid): (Vec<ArrayRef>, Vec<Invalid>) = turned.into_iter().unzip();
        match self.output {
            Output::Outcome => {
                Ok(tokens.into_iter().zip(&invalid).map(|(tokens, invalid)| outcome(tokens, invalid)).collect())
            }
            Output::Token => {
                if !matches!(self.on_invalid, OnInvalid::Null) {
                    self.refuse_invalid(name, rows, Invalid::concatenate(invalid))?;
                }
                Ok(tokens)
            }
        }
    }

    /// Counts the values of a column as uses of the key version, whether they fit or not.
    pub fn count_use(&self, chunks: &[ArrayRef]) {
        if let Some(usage) = &self.usage {
            usage.count(self.direction, chunks.iter().map(|chunk| chunk.len() - chunk.logical_null_count()).sum());
        }
    }

    fn refuse_invalid(&self, name: &str, rows: usize, invalid: Invalid) -> Result<(), Failure> {
        let Some((reason, list)) = invalid.summary() else { return Ok(()) };
        let (values, hint) = match self.direction {
            Direction::Encrypt => (
                "values that don't fit the scheme",
                "on_invalid=\"null\" makes them null; try_tokenize shows the reason for each",
            ),
            Direction::Decrypt => (
                "values that are not tokens of this key and scheme",
                "on_invalid=\"null\" makes them null; try_detokenize shows the reason for each",
            ),
        };
        Err(Failure::new(Code::InvalidValues, format!("{} of {rows} rows have {values} ({list})", invalid.count()))
            .with_column(name)
            .with_reason(reason.code(), invalid.count())
            .with_hint(hint))
    }

    fn turn(&self, chunk: &ArrayRef, tweaks: Option<&TweakColumn<'_>>) -> Result<(ArrayRef, Invalid), Failure> {
        let token_type = self.token_type(chunk.data_type())?;
        if u32::try_from(chunk.len()).is_err() {
            return Err(Failure::new(Code::UnsupportedType, "a chunk has more than 2^32 - 1 rows")
                .with_hint("hand the column over in smaller chunks"));
        }
        let integers = &self.treatment.integers;
        match chunk.data_type() {
            DataType::Null => Ok((new_null_array(&token_type, chunk.len()), Invalid::new(chunk.len()))),
            strings if types::is_string(strings) => {
                let (values, invalid) = self.turn_strings(chunk, tweaks)?;
                if token_type == *strings {
                    Ok((values, invalid))
                } else {
                    integers::read_back(&values, invalid, &token_type)
                }
            }
            numbers if numbers.is_integer() => integers::turn(self, integers, chunk, tweaks),
            DataType::Dictionary(_, _) if tweaks.is_some() => Err(Failure::new(
                Code::UnsupportedType,
                "a dictionary (categorical) column can't have a tweak column: its values are computed once, not by row",
            )
            .with_hint("cast the column to String first")),
            DataType::Dictionary(_, _) => {
                // The distinct values are read with trust in keys and offsets.
                if chunk.to_data().validate_full().is_err() {
                    return Err(Failure::new(Code::UnsupportedType, "the dictionary's Arrow data isn't sound"));
                }
                let array = chunk.as_ref();
                downcast_dictionary_array!(
                    array => dictionary::turn(array, self.treatment.normalization.is_some(), |values| self.turn(values, None)),
                    _ => Err(Failure::new(Code::NativeDefect, "a dictionary of an unknown key type"))
                )
            }
            _ => Err(Failure::new(Code::NativeDefect, "a type passed the checks that no path takes")),
        }
    }

    /// Turns the strings of an array of any of the three layouts, normalized first if the plan says so.
    fn turn_strings(&self, chunk: &ArrayRef, tweaks: Option<&TweakColumn<'_>>) -> Result<(ArrayRef, Invalid), Failure> {
        let normalization = self.treatment.normalization.as_ref().filter(|_| self.direction == Direction::Encrypt);
        let (method, literals) = (&self.method, &self.treatment.literals);
        match (chunk.data_type(), normalization) {
            (DataType::Utf8, None) => layout::offsets::<i32, _>(self, chunk.as_string(), chunk.as_string(), tweaks),
            (DataType::LargeUtf8, None) => {
                layout::offsets::<i64, _>(self, chunk.as_string(), chunk.as_string(), tweaks)
            }
            (DataType::Utf8View, None) => layout::views(self, chunk.as_string_view(), chunk.as_string_view(), tweaks),
            (DataType::Utf8, Some(normalization)) => {
                let raw = chunk.as_string::<i32>();
                layout::offsets(self, &normalization.offsets(raw, method, literals)?, raw, tweaks)
            }
            (DataType::LargeUtf8, Some(normalization)) => {
                let raw = chunk.as_string::<i64>();
                layout::offsets(self, &normalization.offsets(raw, method, literals)?, raw, tweaks)
            }
            (DataType::Utf8View, Some(normalization)) => {
                let raw = chunk.as_string_view();
                layout::views(self, &normalization.views(raw, method, literals), raw, tweaks)
            }
            _ => Err(Failure::new(Code::NativeDefect, "strings of an unknown layout")),
        }
    }

    /// The type of what a column of a type is turned into.
    fn token_type(&self, data_type: &DataType) -> Result<DataType, Failure> {
        let seals = matches!(self.on_invalid, OnInvalid::Seal(_));
        self.treatment.integers.token_type(data_type, self.direction, seals)
    }

    /// Turns the rows of a column; `raw` is the column before it was normalized. The caller scrubs.
    fn run_strings<C: Strings, S: Sink>(
        &self,
        column: &C,
        raw: &C,
        rows: usize,
        tweaks: Option<&TweakColumn<'_>>,
        sink: &mut S,
    ) -> Result<Invalid, Failure> {
        let mut invalid = self.run_method(column, rows, tweaks, sink)?;
        // A sealed scheme has opened whatever authenticates.
        let opened = matches!((&self.method, self.direction), (Method::Sealed(_), Direction::Decrypt));
        if let OnInvalid::Seal(fallback) = &self.on_invalid
            && !opened
        {
            fallback.run(&self.work(fallback.siv()?), raw, rows, sink, &mut invalid);
        }
        Ok(invalid)
    }

    /// The same without what becomes of values that don't fit.
    fn run_method<C: Strings, S: Sink>(
        &self,
        column: &C,
        rows: usize,
        tweaks: Option<&TweakColumn<'_>>,
        sink: &mut S,
    ) -> Result<Invalid, Failure> {
        let mut invalid = Invalid::new(rows);
        match (&self.method, self.key.as_ref()) {
            (Method::Characters(characters), Subkey::Ff1(key)) => {
                let work = self.work(key);
                characters.run(&work, column, rows, tweaks, sink, &mut invalid)?;
            }
            (Method::Sealed(sealed), Subkey::AesSiv(key)) => {
                sealed.run(&self.work(key), column, rows, sink, &mut invalid);
            }
            _ => return Err(Failure::new(Code::NativeDefect, "the subkey is of another algorithm than the method")),
        }
        Ok(invalid)
    }

    fn work<'k, K>(&'k self, key: &'k K) -> Work<'k, K> {
        Work { key, kernel: self.kernel, direction: self.direction, literals: &self.treatment.literals }
    }
}

impl layout::Turn for Plan {
    fn threads(&self) -> usize {
        self.threads
    }

    fn keeps_byte_length(&self) -> bool {
        match (&self.method, &self.on_invalid) {
            (Method::Sealed(_), _) | (_, OnInvalid::Seal(_)) => false,
            (Method::Characters(characters), _) => characters.keeps_byte_length(),
        }
    }

    fn turn_rows<C: Strings, S: Sink>(
        &self,
        _start: usize,
        column: &C,
        raw: &C,
        rows: usize,
        tweaks: Option<&TweakColumn<'_>>,
        sink: &mut S,
    ) -> Result<Invalid, Failure> {
        // Here, and not around each batch of rows: it costs a microsecond, and this is the thread that has the keys.
        scrubbed(|| self.run_strings(column, raw, rows, tweaks, sink))
    }
}

fn outcome(tokens: ArrayRef, invalid: &Invalid) -> ArrayRef {
    let fields = types::outcome_fields(tokens.data_type());
    Arc::new(StructArray::new(fields, vec![tokens, invalid.reasons()], None))
}
