//! The rows of a chunk as texts, whatever its type: what schemes take, and what proofs are about.

use super::strings::{Offsets, Strings, Views};
use super::{Treatment, dictionary, integers, types};
use crate::failure::{Code, Failure};
use arrow_array::{Array, ArrayRef, cast::AsArray, downcast_dictionary_array};
use arrow_schema::DataType;
use std::ops::Range;

/// What is done with texts, of whichever layout.
pub trait Visitor {
    /// What comes of it.
    type Output;

    /// Looks at the rows of a chunk.
    fn visit<C: Strings>(&mut self, column: &C, rows: usize) -> Result<Self::Output, Failure>;
}

/// Shows a visitor the texts of a chunk; also gives the rows whose numbers have none, which are null to the visitor.
pub fn visit<V: Visitor>(
    treatment: &Treatment,
    chunk: &ArrayRef,
    visitor: &mut V,
) -> Result<(V::Output, Vec<usize>), Failure> {
    let rows = chunk.len();
    let found = match chunk.data_type() {
        DataType::Null => visitor.visit(&Nulls, rows)?,
        DataType::Utf8 => visitor.visit(&Offsets::new(chunk.as_string::<i32>()), rows)?,
        DataType::LargeUtf8 => visitor.visit(&Offsets::new(chunk.as_string::<i64>()), rows)?,
        DataType::Utf8View => visitor.visit(&Views::new(chunk.as_string_view()), rows)?,
        numbers if numbers.is_integer() => {
            let (texts, unfit) = integers::texts(treatment, chunk)?;
            return Ok((visitor.visit(&Views::new(texts.as_string_view()), rows)?, unfit));
        }
        DataType::Dictionary(_, values) if types::is_string(values) => {
            sound(chunk)?;
            let array = chunk.as_ref();
            let texts = downcast_dictionary_array!(
                array => dictionary::expand(array),
                _ => Err(no_path())
            )?;
            visitor.visit(&Views::new(texts.as_string_view()), rows)?
        }
        _ => return Err(no_path()),
    };
    Ok((found, Vec::new()))
}

/// The types of columns are checked before their rows are looked at.
pub fn no_path() -> Failure {
    Failure::new(Code::NativeDefect, "a type passed the checks that no path takes")
}

/// Refuses a dictionary whose keys and offsets can't be trusted.
pub fn sound(chunk: &ArrayRef) -> Result<(), Failure> {
    chunk
        .to_data()
        .validate_full()
        .map_err(|_| Failure::new(Code::UnsupportedType, "the dictionary's Arrow data isn't sound"))
}

/// A column without a type.
struct Nulls;

impl Strings for Nulls {
    fn bytes(&self, _: usize) -> &[u8] {
        &[]
    }

    fn is_null(&self, _: usize) -> bool {
        true
    }

    fn is_uniform(&self, _: Range<usize>, _: usize) -> bool {
        false
    }

    fn contiguous(&self, _: Range<usize>, _: usize) -> Option<&[u8]> {
        None
    }
}
