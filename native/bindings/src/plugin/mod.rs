//! Polars' expression-plugin ABI, version 0.1, over the Arrow C Data Interface.
//!
//! Polars loads this library, asks for the version, and calls `_polars_plugin_<name>` with the columns and
//! `_polars_plugin_field_<name>` with their types. One symbol serves every scheme: what to do stands in the keyword
//! arguments, a pickled dict whose `specification` is JSON text.

mod arguments;
mod calls;
mod digest;
mod proof;
mod rejects;
mod rows;
mod series;

pub use series::Column;

use crate::column::TweakColumn;
use crate::failure::{Code, Failure};
use crate::spec::Specification;
use arrow_array::ffi::FFI_ArrowSchema;
use calls::{answer, answer_type};
use series::SeriesExport;
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};

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
    let work = |columns: &[Column], text: &str| {
        let specification = Specification::parse(text)?;
        if columns.len() != 1 + usize::from(specification.has_tweak_column()) {
            return Err(wrong_inputs());
        }
        let (values, tweaks) = columns.split_first().ok_or_else(wrong_inputs)?;
        let tweaks = tweaks.first().map(tweak_column).transpose()?;
        let field = specification.output_field(&values.field)?;
        Ok((field, specification.run(values.field.name(), &values.chunks, tweaks.as_ref())?))
    };
    // SAFETY: Polars' promise, see above.
    unsafe { answer(inputs, count, arguments, arguments_length, output, work) }
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
    let work = |inputs: &[FFI_ArrowSchema], text: &str| {
        let specification = Specification::parse(text)?;
        if inputs.len() != 1 + usize::from(specification.has_tweak_column()) {
            return Err(wrong_inputs());
        }
        specification.output_field(&series::field(&inputs[0])?)
    };
    // SAFETY: Polars' promise, see above.
    unsafe { answer_type(inputs, count, output, arguments, arguments_length, work) }
}
