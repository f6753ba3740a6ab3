//! The plugin function that counts rows as they pass: `count_rows`.

use super::series::{self, SeriesExport};
use super::{arguments_text, report, wrong_inputs};
use crate::failure::{Code, Failure};
use crate::rows;
use arrow_array::Array;
use arrow_array::ffi::FFI_ArrowSchema;
use serde::Deserialize;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
    report(catch_unwind(AssertUnwindSafe(|| {
        // Every input is taken before anything can fail, because Polars doesn't release them itself.
        // SAFETY: Polars' promise, see above.
        let columns: Vec<_> = (0..count).map(|index| unsafe { series::take(inputs.add(index)) }).collect();
        let columns = columns.into_iter().collect::<Result<Vec<_>, _>>()?;
        let [column] = <[_; 1]>::try_from(columns).map_err(|_| wrong_inputs())?;
        // SAFETY: Polars' promise, see above.
        let text = unsafe { arguments_text(arguments, arguments_length) }?;
        let specification: Specification = serde_json::from_str(text)
            .map_err(|_| Failure::new(Code::Specification, "the specification of a counter can't be read"))?;
        let passed: usize = column.chunks.iter().map(|chunk| chunk.len()).sum();
        rows::find(specification.counter)?.add(passed as u64)?;
        // SAFETY: `output` has room for one export, which was not initialised before.
        unsafe { output.write(series::give(&column.field, column.chunks)?) };
        Ok(())
    })));
}

/// The type that `count_rows` gives: the column's own.
///
/// # Safety
/// Called by Polars only: `inputs` points at `count` schemas, which stay Polars', and `output` at room for one schema.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_field_count_rows(
    inputs: *const FFI_ArrowSchema,
    count: usize,
    output: *mut FFI_ArrowSchema,
    _arguments: *const u8,
    _arguments_length: usize,
) {
    report(catch_unwind(AssertUnwindSafe(|| {
        if count != 1 {
            return Err(wrong_inputs());
        }
        // SAFETY: Polars' promise, and there is one input.
        let field = series::field(unsafe { &*inputs })?;
        // SAFETY: `output` has room for one schema, which was not initialised before.
        unsafe { output.write(series::schema(&field)?) };
        Ok(())
    })));
}
