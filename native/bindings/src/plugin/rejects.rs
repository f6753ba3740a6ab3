//! The plugin functions over rejected rows: `seal_row` and `open_row`.

use super::series::{self, SeriesExport};
use super::{arguments_text, report};
use crate::failure::{Code, Failure};
use crate::rejects::{Direction, Specification};
use arrow_array::Array;
use arrow_array::ffi::FFI_ArrowSchema;
use arrow_schema::Field;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
    report(catch_unwind(AssertUnwindSafe(|| {
        // Every input is taken before anything can fail, because Polars doesn't release them itself.
        // SAFETY: Polars' promise, see below.
        let columns: Vec<_> = (0..count).map(|index| unsafe { series::take(inputs.add(index)) }).collect();
        let columns = columns.into_iter().collect::<Result<Vec<_>, _>>()?;
        // SAFETY: Polars' promise, see below.
        let specification = Specification::parse(unsafe { arguments_text(arguments, arguments_length) }?)?;
        let name = columns.first().ok_or_else(no_inputs)?.field.name().clone();
        let array = specification.plan(direction)?.run(direction, &columns)?;
        let field = Field::new(name, array.data_type().clone(), true);
        // SAFETY: `output` has room for one export, which was not initialised before.
        unsafe { output.write(series::give(&field, vec![array])?) };
        Ok(())
    })));
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
    report(catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: Polars' promise, see below.
        let specification = Specification::parse(unsafe { arguments_text(arguments, arguments_length) }?)?;
        if count == 0 {
            return Err(no_inputs());
        }
        // SAFETY: Polars' promise, and there is at least one input.
        let first = series::field(unsafe { &*inputs })?;
        let field = Field::new(first.name(), specification.output_type(), true);
        // SAFETY: `output` has room for one schema, which was not initialised before.
        unsafe { output.write(series::schema(&field)?) };
        Ok(())
    })));
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
