//! The plugin function of digests without row numbers: `digest`.

use super::calls::{answer, answer_type};
use super::series::{self, Column, SeriesExport};
use super::{tweak_column, wrong_inputs};
use crate::column::{Digested, Digesting, Fate};
use crate::failure::{Code, Failure};
use crate::proof;
use crate::spec::Specification;
use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::{Array, ArrayRef, BooleanArray, UInt64Array, cast::AsArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, Field};
use std::ffi::c_void;
use std::sync::Arc;

fn length(column: &Column) -> usize {
    column.chunks.iter().map(|chunk| chunk.len()).sum()
}

fn flags(column: &Column) -> Result<Vec<bool>, Failure> {
    let mut flags = Vec::with_capacity(length(column));
    for chunk in &column.chunks {
        if *chunk.data_type() != DataType::Boolean || chunk.null_count() > 0 {
            return Err(Failure::new(Code::Specification, "what became of a value is true or false"));
        }
        flags.extend(chunk.as_boolean().values());
    }
    Ok(flags)
}

fn digest(columns: &[Column], text: &str) -> Result<(Field, Vec<ArrayRef>), Failure> {
    let specification = Specification::parse(text)?;
    let named =
        specification.proof().ok_or_else(|| Failure::new(Code::Specification, "the call names no proof to add to"))?;
    let (values, others) = columns.split_first().ok_or_else(wrong_inputs)?;
    let name = values.field.name();
    specification.output_field(&values.field)?;
    let proof = proof::find(named.id)?;
    let digesting = Digesting { key: &proof.key, sum: proof.sum(named.side), by_row: named.by_row };
    let digested = match (specification.tokenizes(), others) {
        (true, [fits]) => {
            let fate = Fate { fits: &flags(fits)?, rejected: None };
            specification.plan()?.digest_values(name, &values.chunks, &fate, &digesting)?
        }
        (true, [fits, rejected]) => {
            let fate = Fate { fits: &flags(fits)?, rejected: Some(&flags(rejected)?) };
            specification.plan()?.digest_values(name, &values.chunks, &fate, &digesting)?
        }
        // The numbers of rows are there so that the call is one about rows, whatever else is constant.
        (false, [tweaks @ .., rows]) if tweaks.len() == usize::from(specification.has_tweak_column()) => {
            if length(rows) != length(values) {
                return Err(Failure::new(Code::Specification, "there is not one token for each row").with_column(name));
            }
            let tweaks = tweaks.first().map(tweak_column).transpose()?;
            specification.plan()?.digest_tokens(name, &values.chunks, tweaks.as_ref(), &digesting)?
        }
        _ => return Err(wrong_inputs()),
    };
    Ok((digested_field(&values.field, named.by_row), vec![told(digested, named.by_row)]))
}

fn digested_field(values: &Field, by_row: bool) -> Field {
    Field::new(values.name(), if by_row { DataType::UInt64 } else { DataType::Boolean }, true)
}

fn told(digested: Digested, by_row: bool) -> ArrayRef {
    let taken = BooleanBuffer::from(digested.taken);
    if by_row {
        Arc::new(UInt64Array::new(digested.marks.into(), Some(NullBuffer::new(taken))))
    } else {
        Arc::new(BooleanArray::new(taken, None))
    }
}

/// Adds a column to a digest: values with what became of them, or tokens. Gives for each row whether it was added; or,
/// if the rows' marks are asked for, these, null for a row that isn't in the digest.
///
/// # Safety
/// Called by Polars only: `inputs` points at `count` exports whose arrays are handed over, `arguments` at
/// `arguments_length` bytes, and `output` at room for one export.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_digest(
    inputs: *mut SeriesExport,
    count: usize,
    arguments: *const u8,
    arguments_length: usize,
    output: *mut SeriesExport,
    _context: *const c_void,
) {
    // SAFETY: the same promise.
    unsafe { answer(inputs, count, arguments, arguments_length, output, digest) }
}

/// The type that `digest` gives.
///
/// # Safety
/// Called by Polars only: `inputs` points at `count` schemas, which stay Polars', `arguments` at `arguments_length`
/// bytes, and `output` at room for one schema.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_field_digest(
    inputs: *const FFI_ArrowSchema,
    count: usize,
    output: *mut FFI_ArrowSchema,
    arguments: *const u8,
    arguments_length: usize,
) {
    let work = |inputs: &[FFI_ArrowSchema], text: &str| {
        let specification = Specification::parse(text)?;
        let by_row = specification.proof().is_some_and(|named| named.by_row);
        let values = series::field(inputs.first().ok_or_else(wrong_inputs)?)?;
        specification.output_field(&values)?;
        Ok(digested_field(&values, by_row))
    };
    // SAFETY: the same promise.
    unsafe { answer_type(inputs, count, output, arguments, arguments_length, work) }
}
