//! The plugin functions over rejected rows: `seal_row` and `open_row`.

use super::calls::{answer, answer_type};
use super::series::{self, Column, SeriesExport};
use crate::failure::{Code, Failure};
use crate::rejects::{Direction, Specification};
use arrow_array::Array;
use arrow_array::ffi::FFI_ArrowSchema;
use arrow_schema::Field;
use std::ffi::c_void;

fn no_inputs() -> Failure {
    Failure::new(Code::Specification, "an expression over rejected rows has no input columns")
}

/// # Safety
/// As for the plugin functions below.
unsafe fn run(
    direction: Direction,
    inputs: *mut SeriesExport,
    count: usize,
    arguments: *const u8,
    arguments_length: usize,
    output: *mut SeriesExport,
) {
    let work = |columns: &[Column], text: &str| {
        let name = columns.first().ok_or_else(no_inputs)?.field.name().clone();
        let array = Specification::parse(text)?.plan(direction)?.run(direction, columns)?;
        Ok((Field::new(name, array.data_type().clone(), true), vec![array]))
    };
    // SAFETY: the same promise.
    unsafe { answer(inputs, count, arguments, arguments_length, output, work) }
}

/// # Safety
/// As for the field functions below.
unsafe fn field(
    inputs: *const FFI_ArrowSchema,
    count: usize,
    output: *mut FFI_ArrowSchema,
    arguments: *const u8,
    arguments_length: usize,
) {
    let work = |inputs: &[FFI_ArrowSchema], text: &str| {
        let specification = Specification::parse(text)?;
        let first = series::field(inputs.first().ok_or_else(no_inputs)?)?;
        Ok(Field::new(first.name(), specification.output_type(), true))
    };
    // SAFETY: the same promise.
    unsafe { answer_type(inputs, count, output, arguments, arguments_length, work) }
}

/// Seals the cells of rejected rows.
///
/// # Safety
/// Called by Polars only: `inputs` points at `count` exports whose arrays are handed over, `arguments` at
/// `arguments_length` bytes, and `output` at room for one export.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_seal_row(
    inputs: *mut SeriesExport,
    count: usize,
    arguments: *const u8,
    arguments_length: usize,
    output: *mut SeriesExport,
    _context: *const c_void,
) {
    // SAFETY: the same promise.
    unsafe { run(Direction::Seal, inputs, count, arguments, arguments_length, output) }
}

/// Opens the cells of rejected rows.
///
/// # Safety
/// As for [`_polars_plugin_seal_row`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_open_row(
    inputs: *mut SeriesExport,
    count: usize,
    arguments: *const u8,
    arguments_length: usize,
    output: *mut SeriesExport,
    _context: *const c_void,
) {
    // SAFETY: the same promise.
    unsafe { run(Direction::Open, inputs, count, arguments, arguments_length, output) }
}

/// The type that `seal_row` gives.
///
/// # Safety
/// Called by Polars only: `inputs` points at `count` schemas, which stay Polars', `arguments` at `arguments_length`
/// bytes, and `output` at room for one schema.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_field_seal_row(
    inputs: *const FFI_ArrowSchema,
    count: usize,
    output: *mut FFI_ArrowSchema,
    arguments: *const u8,
    arguments_length: usize,
) {
    // SAFETY: the same promise.
    unsafe { field(inputs, count, output, arguments, arguments_length) }
}

/// The type that `open_row` gives.
///
/// # Safety
/// As for [`_polars_plugin_field_seal_row`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_field_open_row(
    inputs: *const FFI_ArrowSchema,
    count: usize,
    output: *mut FFI_ArrowSchema,
    arguments: *const u8,
    arguments_length: usize,
) {
    // SAFETY: the same promise.
    unsafe { field(inputs, count, output, arguments, arguments_length) }
}
