//! The plugin functions of a rekey with a proof: `rekey` and `prove`.

use super::calls::{answer, answer_type};
use super::series::{self, Column, SeriesExport};
use super::{tweak_column, wrong_inputs};
use crate::column::Proving;
use crate::failure::{Code, Failure};
use crate::proof;
use crate::spec::Specification;
use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, cast::AsArray};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field};
use std::ffi::c_void;
use std::sync::Arc;

/// What a call gives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    /// The new tokens.
    Rekey,
    /// Nothing but a place to count rows.
    Prove,
}

fn row_numbers(column: &Column) -> Result<Vec<u64>, Failure> {
    let mut numbers = Vec::with_capacity(column.chunks.iter().map(|chunk| chunk.len()).sum());
    for chunk in &column.chunks {
        if *chunk.data_type() != DataType::UInt64 || chunk.null_count() > 0 {
            return Err(Failure::new(Code::Specification, "row numbers are unsigned 64-bit integers"));
        }
        numbers.extend_from_slice(chunk.as_primitive::<UInt64Type>().values());
    }
    Ok(numbers)
}

/// # Safety
/// As for the plugin functions below.
unsafe fn run(
    task: Task,
    inputs: *mut SeriesExport,
    count: usize,
    arguments: *const u8,
    arguments_length: usize,
    output: *mut SeriesExport,
) {
    let work = |columns: &[Column], text: &str| {
        let specification = Specification::parse(text)?;
        let (values, tweak, rows) = match (columns, specification.has_tweak_column()) {
            ([values, rows], false) => (values, None, rows),
            ([values, tweak, rows], true) => (values, Some(tweak), rows),
            _ => return Err(wrong_inputs()),
        };
        let tweaks = tweak.map(tweak_column).transpose()?;
        let numbers = row_numbers(rows)?;
        let named = specification
            .proof()
            .ok_or_else(|| Failure::new(Code::Specification, "the call names no proof to add to"))?;
        let proof = proof::find(named.id)?;
        let proving = Proving { key: &proof.key, numbers: &numbers, sum: proof.sum(named.side) };
        let field = specification.output_field(&values.field)?;
        match task {
            Task::Rekey => {
                let rekey = specification.rekey()?;
                Ok((field, rekey.run(values.field.name(), &values.chunks, tweaks.as_ref(), Some(&proving))?))
            }
            Task::Prove => {
                specification.plan()?.prove(values.field.name(), &values.chunks, tweaks.as_ref(), &proving)?;
                Ok((proved_field(&values.field), vec![proved(numbers.len())]))
            }
        }
    };
    // SAFETY: the same promise.
    unsafe { answer(inputs, count, arguments, arguments_length, output, work) }
}

fn proved_field(values: &Field) -> Field {
    Field::new(values.name(), DataType::Boolean, true)
}

fn proved(rows: usize) -> ArrayRef {
    Arc::new(BooleanArray::new(BooleanBuffer::new_set(rows), None))
}

/// # Safety
/// As for the field functions below.
unsafe fn field(
    task: Task,
    inputs: *const FFI_ArrowSchema,
    count: usize,
    output: *mut FFI_ArrowSchema,
    arguments: *const u8,
    arguments_length: usize,
) {
    let work = |inputs: &[FFI_ArrowSchema], text: &str| {
        let specification = Specification::parse(text)?;
        if inputs.len() != 2 + usize::from(specification.has_tweak_column()) {
            return Err(wrong_inputs());
        }
        let values = series::field(&inputs[0])?;
        let field = specification.output_field(&values)?;
        Ok(if task == Task::Prove { proved_field(&values) } else { field })
    };
    // SAFETY: the same promise.
    unsafe { answer_type(inputs, count, output, arguments, arguments_length, work) }
}

/// Makes new tokens of old ones, and adds the values to a proof.
///
/// # Safety
/// Called by Polars only: `inputs` points at `count` exports whose arrays are handed over, `arguments` at
/// `arguments_length` bytes, and `output` at room for one export.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_rekey(
    inputs: *mut SeriesExport,
    count: usize,
    arguments: *const u8,
    arguments_length: usize,
    output: *mut SeriesExport,
    _context: *const c_void,
) {
    // SAFETY: the same promise.
    unsafe { run(Task::Rekey, inputs, count, arguments, arguments_length, output) }
}

/// Adds the values of tokens to a proof; gives true for each row.
///
/// # Safety
/// As for [`_polars_plugin_rekey`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_prove(
    inputs: *mut SeriesExport,
    count: usize,
    arguments: *const u8,
    arguments_length: usize,
    output: *mut SeriesExport,
    _context: *const c_void,
) {
    // SAFETY: the same promise.
    unsafe { run(Task::Prove, inputs, count, arguments, arguments_length, output) }
}

/// The type that `rekey` gives.
///
/// # Safety
/// Called by Polars only: `inputs` points at `count` schemas, which stay Polars', `arguments` at `arguments_length`
/// bytes, and `output` at room for one schema.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_field_rekey(
    inputs: *const FFI_ArrowSchema,
    count: usize,
    output: *mut FFI_ArrowSchema,
    arguments: *const u8,
    arguments_length: usize,
) {
    // SAFETY: the same promise.
    unsafe { field(Task::Rekey, inputs, count, output, arguments, arguments_length) }
}

/// The type that `prove` gives.
///
/// # Safety
/// As for [`_polars_plugin_field_rekey`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_field_prove(
    inputs: *const FFI_ArrowSchema,
    count: usize,
    output: *mut FFI_ArrowSchema,
    arguments: *const u8,
    arguments_length: usize,
) {
    // SAFETY: the same promise.
    unsafe { field(Task::Prove, inputs, count, output, arguments, arguments_length) }
}
