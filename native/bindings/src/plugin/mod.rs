//! Polars' expression-plugin ABI, version 0.1, over the Arrow C Data Interface.
//!
//! Polars loads this library, asks for the version, and calls `_polars_plugin_<name>` with the columns and
//! `_polars_plugin_field_<name>` with their types. One symbol serves every scheme: what to do stands in the keyword
//! arguments, a pickled dict whose `specification` is JSON text.

mod arguments;
mod proof;
mod rejects;
mod rows;
mod series;

pub use series::Column;

use crate::column::TweakColumn;
use crate::failure::{Code, Failure};
use crate::spec::Specification;
use arrow_array::ffi::FFI_ArrowSchema;
use series::SeriesExport;
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Major 0, minor 1: the minor version that takes string views and hands keyword arguments to the field function.
const ABI_VERSION: u32 = 1;

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

fn report(outcome: std::thread::Result<Result<(), Failure>>) {
    let failure = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(Code::NativeDefect, "a panic in the native module; please report it")
            .with_hint("set TOKENKIT_KERNEL=portable to see whether the vector kernel is at fault"),
    };
    let text = failure.to_string().replace('\0', "\u{FFFD}");
    LAST_ERROR.with(|last| *last.borrow_mut() = CString::new(text).unwrap_or_default());
}

/// The ABI that the functions below speak.
#[unsafe(no_mangle)]
pub extern "C" fn _polars_plugin_get_version() -> u32 {
    ABI_VERSION
}

/// The text of this thread's last failure.
#[unsafe(no_mangle)]
pub extern "C" fn _polars_plugin_get_last_error_message() -> *const c_char {
    LAST_ERROR.with(|last| last.borrow().as_ptr())
}

/// # Safety
/// `start` points at `length` bytes, readable for as long as the call lasts, or `length` is zero.
unsafe fn arguments_text<'a>(start: *const u8, length: usize) -> Result<&'a str, Failure> {
    let bytes = if length == 0 {
        &[]
    } else {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(start, length) }
    };
    arguments::specification(bytes)
}

/// # Safety
/// As for [`arguments_text`].
unsafe fn specification(start: *const u8, length: usize) -> Result<Specification, Failure> {
    // SAFETY: the caller's promise.
    Specification::parse(unsafe { arguments_text(start, length) }?)
}

fn wrong_inputs() -> Failure {
    Failure::new(Code::Specification, "the expression has the wrong number of input columns")
}

fn tweak_column(column: &Column) -> Result<TweakColumn<'_>, Failure> {
    TweakColumn::new(&column.chunks).ok_or_else(|| {
        Failure::new(Code::TweakMismatch, "a tweak column holds strings or bytes").with_column(column.field.name())
    })
}

/// Tokenizes, detokenizes or rekeys a column, as the keyword arguments say.
///
/// # Safety
/// Called by Polars only: `inputs` points at `count` exports whose arrays are handed over, `arguments` at
/// `arguments_length` bytes, and `output` at room for one export.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_transform(
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
        // SAFETY: Polars' promise, see above.
        let specification = unsafe { specification(arguments, arguments_length) }?;
        if count != 1 + usize::from(specification.has_tweak_column()) {
            return Err(wrong_inputs());
        }
        let (values, tweaks) = columns.split_first().ok_or_else(wrong_inputs)?;
        let tweaks = tweaks.first().map(tweak_column).transpose()?;
        let field = specification.output_field(&values.field)?;
        let tokens = specification.run(values.field.name(), &values.chunks, tweaks.as_ref())?;
        // SAFETY: `output` has room for one export, which was not initialised before.
        unsafe { output.write(series::give(&field, tokens)?) };
        Ok(())
    })));
}

/// The type that `transform` gives for a column.
///
/// # Safety
/// Called by Polars only: `inputs` points at `count` schemas, which stay Polars', `arguments` at `arguments_length`
/// bytes, and `output` at room for one schema.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _polars_plugin_field_transform(
    inputs: *const FFI_ArrowSchema,
    count: usize,
    output: *mut FFI_ArrowSchema,
    arguments: *const u8,
    arguments_length: usize,
) {
    report(catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: Polars' promise, see above.
        let specification = unsafe { specification(arguments, arguments_length) }?;
        if count != 1 + usize::from(specification.has_tweak_column()) {
            return Err(wrong_inputs());
        }
        // SAFETY: Polars' promise, and there is at least one input.
        let field = series::field(unsafe { &*inputs })?;
        let field = specification.output_field(&field)?;
        // SAFETY: `output` has room for one schema, which was not initialised before.
        unsafe { output.write(series::schema(&field)?) };
        Ok(())
    })));
}
