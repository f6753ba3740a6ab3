//! The plugin function that counts rows as they pass: `count_rows`.

use super::calls::{answer, answer_type};
use super::series::{self, Column, SeriesExport};
use super::wrong_inputs;
use crate::failure::{Code, Failure};
use crate::rows;
use arrow_array::Array;
use arrow_array::ffi::FFI_ArrowSchema;
use serde::Deserialize;
use std::ffi::c_void;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Specification {
    counter: u64,
}

/// Counts the rows of a column, which stays as it is.
///
/// # Safety
/// Called by Polars only: `inputs` points at `count` exports whose arrays are handed over, `arguments` at
/// `arguments_length` bytes, and `output` at room for one export.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_count_rows(
    inputs: *mut SeriesExport,
    count: usize,
    arguments: *const u8,
    arguments_length: usize,
    output: *mut SeriesExport,
    _context: *const c_void,
) {
    let work = |columns: &[Column], text: &str| {
        let [column] = columns else { return Err(wrong_inputs()) };
        let specification: Specification = serde_json::from_str(text)
            .map_err(|_| Failure::new(Code::Specification, "the specification of a counter can't be read"))?;
        let passed: usize = column.chunks.iter().map(|chunk| chunk.len()).sum();
        rows::find(specification.counter)?.add(passed as u64)?;
        Ok((column.field.clone(), column.chunks.clone()))
    };
    // SAFETY: Polars' promise, see above.
    unsafe { answer(inputs, count, arguments, arguments_length, output, work) }
}

/// The type that `count_rows` gives: the column's own.
///
/// # Safety
/// Called by Polars only: `inputs` points at `count` schemas, which stay Polars', `arguments` at `arguments_length`
/// bytes, and `output` at room for one schema.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_field_count_rows(
    inputs: *const FFI_ArrowSchema,
    count: usize,
    output: *mut FFI_ArrowSchema,
    arguments: *const u8,
    arguments_length: usize,
) {
    let work = |inputs: &[FFI_ArrowSchema], _: &str| match inputs {
        [input] => series::field(input),
        _ => Err(wrong_inputs()),
    };
    // SAFETY: Polars' promise, see above.
    unsafe { answer_type(inputs, count, output, arguments, arguments_length, work) }
}
