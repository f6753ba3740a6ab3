//! What every plugin function does around its own work: takes its inputs over, reads its arguments, gives its output,
//! and reports what went wrong.

use super::series::{self, Column, SeriesExport};
use super::{arguments, report};
use crate::failure::Failure;
use arrow_array::ArrayRef;
use arrow_array::ffi::FFI_ArrowSchema;
use arrow_schema::Field;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

/// Answers a call with columns: `work` makes the output of them and of the arguments' specification.
///
/// # Safety
/// `inputs` points at `count` exports whose arrays are handed over, `start` at `length` bytes, and `output` at room for
/// one export.
pub unsafe fn answer(
    inputs: *mut SeriesExport,
    count: usize,
    start: *const u8,
    length: usize,
    output: *mut SeriesExport,
    work: impl FnOnce(&[Column], &str) -> Result<(Field, Vec<ArrayRef>), Failure>,
) {
    report(catch_unwind(AssertUnwindSafe(|| {
        // Every input is taken before anything can fail, because Polars doesn't release them itself.
        // SAFETY: the caller's promise.
        let columns: Vec<_> = (0..count).map(|index| unsafe { series::take(inputs.add(index)) }).collect();
        let columns = columns.into_iter().collect::<Result<Vec<_>, _>>()?;
        // SAFETY: the caller's promise.
        let text = arguments::specification(unsafe { bytes(start, length) })?;
        let (field, chunks) = work(&columns, text)?;
        // SAFETY: `output` has room for one export, which was not initialised before.
        unsafe { output.write(series::give(&field, chunks)?) };
        Ok(())
    })));
}

/// Answers a call with the types of columns, which stay Polars': `work` says what type the output has.
///
/// # Safety
/// `inputs` points at `count` schemas, `start` at `length` bytes, and `output` at room for one schema.
pub unsafe fn answer_type(
    inputs: *const FFI_ArrowSchema,
    count: usize,
    output: *mut FFI_ArrowSchema,
    start: *const u8,
    length: usize,
    work: impl FnOnce(&[FFI_ArrowSchema], &str) -> Result<Field, Failure>,
) {
    report(catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller's promise.
        let text = arguments::specification(unsafe { bytes(start, length) })?;
        // SAFETY: the caller's promise.
        let inputs = if count == 0 { &[] } else { unsafe { slice::from_raw_parts(inputs, count) } };
        let field = work(inputs, text)?;
        // SAFETY: `output` has room for one schema, which was not initialised before.
        unsafe { output.write(series::schema(&field)?) };
        Ok(())
    })));
}

/// # Safety
/// `start` points at `length` bytes, readable for as long as the call lasts, or `length` is zero.
unsafe fn bytes<'a>(start: *const u8, length: usize) -> &'a [u8] {
    // SAFETY: the caller's promise.
    if length == 0 { &[] } else { unsafe { slice::from_raw_parts(start, length) } }
}
