//! Arrow columns in, Arrow columns out.
//!
//! [`Plan::run`] takes the chunks of a column and gives the tokens in the same type, or a struct of token and reason.
//! It never fails on a value: what doesn't fit is null with a reason, unless the plan says that it is an error.

mod characters;
mod dictionary;
mod invalid;
mod layout;
mod memory;
mod sealed;
mod sink;
mod strings;
pub mod threads;

pub use characters::{Characters, CheckDigit, Shape, TweakColumn, TweakRule};
pub use invalid::REASONS;
pub use sealed::{LONGEST_TEXT, Sealed};

use crate::failure::{Code, Failure};
use crate::keys::Subkey;
use arrow_array::{Array, ArrayRef, StructArray, cast::AsArray, downcast_dictionary_array};
use arrow_schema::{DataType, Field, Fields};
use invalid::Invalid;
use sink::Sink;
use std::sync::Arc;
use strings::Strings;
use tokenkit_algorithms::ff1::Direction;
use tokenkit_algorithms::kernel::Kernel;

/// What to do with values that don't fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInvalid {
    /// Fail, with counts by reason.
    Error,
    /// Null.
    Null,
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

/// Everything that a column's call needs besides the column.
pub struct Plan {
    /// How values become tokens.
    pub method: Method,
    /// The subkey; FF1's for characters, AES-SIV's for sealed tokens.
    pub key: Arc<Subkey>,
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

/// The key, kernel and direction of one call.
pub struct Work<'k, K> {
    /// The subkey.
    pub key: &'k K,
    /// The kernel to use.
    pub kernel: Kernel,
    /// Tokenize or detokenize.
    pub direction: Direction,
}

// Not derived: that would ask the key to be copied too.
impl<K> Clone for Work<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Work<'_, K> {}

/// The field that an outcome holds the token in.
pub const TOKEN_FIELD: &str = "token";
/// The field that an outcome holds the reason code in.
pub const REASON_FIELD: &str = "reason";

/// The type of the outcome struct for values of a type.
pub fn outcome_type(values: &DataType) -> DataType {
    DataType::Struct(outcome_fields(values))
}

fn outcome_fields(values: &DataType) -> Fields {
    Fields::from(vec![
        Field::new(TOKEN_FIELD, values.clone(), true),
        Field::new(REASON_FIELD, DataType::Utf8View, true),
    ])
}

/// Refuses the types that can't be tokenized.
pub fn check_type(data_type: &DataType) -> Result<(), Failure> {
    let supported = match data_type {
        DataType::Dictionary(_, values) => is_string(values),
        other => is_string(other) || *other == DataType::Null,
    };
    if supported {
        return Ok(());
    }
    let hint = match data_type {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "decode the bytes to strings first",
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) => {
            "tokenize the strings inside it: list.eval(pl.element().tk.tokenize(...)), or the struct's field"
        }
        _ => "cast the column to String first; a cast after detokenizing gives the type back",
    };
    Err(Failure::new(Code::UnsupportedType, format!("a column of type {} can't be tokenized", type_name(data_type)))
        .with_hint(hint))
}

fn is_string(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The name of a type without its parameters, which can hold values (an Enum's do).
fn type_name(data_type: &DataType) -> String {
    let name = format!("{data_type:?}");
    name.split(|character: char| !character.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

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
        let (tokens, invalid): (Vec<ArrayRef>, Vec<Invalid>) = turned.into_iter().unzip();
        match self.output {
            Output::Outcome => {
                Ok(tokens.into_iter().zip(&invalid).map(|(tokens, invalid)| outcome(tokens, invalid)).collect())
            }
            Output::Token => {
                if self.on_invalid == OnInvalid::Error {
                    self.refuse_invalid(name, rows, Invalid::concatenate(invalid))?;
                }
                Ok(tokens)
            }
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
        check_type(chunk.data_type())?;
        if u32::try_from(chunk.len()).is_err() {
            return Err(Failure::new(Code::UnsupportedType, "a chunk has more than 2^32 - 1 rows")
                .with_hint("hand the column over in smaller chunks"));
        }
        match chunk.data_type() {
            DataType::Null => Ok((Arc::clone(chunk), Invalid::new(chunk.len()))),
            DataType::Utf8 => layout::offsets::<i32>(self, chunk.as_string(), tweaks),
            DataType::LargeUtf8 => layout::offsets::<i64>(self, chunk.as_string(), tweaks),
            DataType::Utf8View => layout::views(self, chunk.as_string_view(), tweaks),
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
                    array => dictionary::turn(self, array),
                    _ => Err(Failure::new(Code::NativeDefect, "a dictionary of an unknown key type"))
                )
            }
            _ => Err(Failure::new(Code::NativeDefect, "a type passed the checks that no path takes")),
        }
    }

    fn keeps_byte_length(&self) -> bool {
        match &self.method {
            Method::Characters(characters) => characters.keeps_byte_length(),
            Method::Sealed(_) => false,
        }
    }

    fn run_strings<C: Strings, S: Sink>(
        &self,
        column: &C,
        rows: usize,
        tweaks: Option<&TweakColumn<'_>>,
        sink: &mut S,
    ) -> Result<Invalid, Failure> {
        // Round keys pass through registers and spill slots of this thread's stack, whatever way the call ends.
        let _scrub = ScrubOnDrop;
        let mut invalid = Invalid::new(rows);
        match (&self.method, self.key.as_ref()) {
            (Method::Characters(characters), Subkey::Ff1(key)) => {
                let work = Work { key, kernel: self.kernel, direction: self.direction };
                characters.run(&work, column, rows, tweaks, sink, &mut invalid)?;
            }
            (Method::Sealed(sealed), Subkey::AesSiv(key)) => {
                let work = Work { key, kernel: self.kernel, direction: self.direction };
                sealed.run(&work, column, rows, sink, &mut invalid);
            }
            _ => return Err(Failure::new(Code::NativeDefect, "the subkey is of another algorithm than the method")),
        }
        Ok(invalid)
    }
}

struct ScrubOnDrop;

impl Drop for ScrubOnDrop {
    fn drop(&mut self) {
        tokenkit_algorithms::aes::scrub_stack();
    }
}

fn outcome(tokens: ArrayRef, invalid: &Invalid) -> ArrayRef {
    let fields = outcome_fields(tokens.data_type());
    Arc::new(StructArray::new(fields, vec![tokens, invalid.reasons()], None))
}
