//! Failures as the exceptions of `tokenkit.errors`.

use crate::failure::Failure;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::any::Any;

const ERRORS: &str = "tokenkit.errors";

/// The exception that stands for a failure.
pub fn raise(py: Python<'_>, failure: &Failure) -> PyErr {
    let text = failure.to_string();
    let build = || {
        let native = PyRuntimeError::new_err(text.clone()).into_value(py);
        py.import(ERRORS)?.getattr("from_polars")?.call1((native,))
    };
    build().map_or_else(|error| error, PyErr::from_value)
}

/// An exception of a class that only this boundary raises.
pub fn raise_class(py: Python<'_>, class: &str, message: &str, hint: &str) -> PyErr {
    let build = || {
        let fields = PyDict::new(py);
        fields.set_item("hint", hint)?;
        py.import(ERRORS)?.getattr(class)?.call((message,), Some(&fields))
    };
    build().map_or_else(|error| error, PyErr::from_value)
}

/// Lets panics say where they happened and nothing else: their own text could quote a value. This library links its own
/// copy of the standard library, so that no other extension's hook is touched.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            eprintln!("tokenkit: defect in the native module at {}:{}", place.file(), place.line());
        }
    }));
}

/// Runs native work without the interpreter lock; a panic becomes an exception.
pub fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure> + Send) -> PyResult<T> {
    settled(py, py.detach(|| std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))))
}

/// As [`detached`], but holding the lock: for work that is shorter than giving it up.
pub fn attached<T>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure>) -> PyResult<T> {
    settled(py, std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)))
}

fn settled<T>(py: Python<'_>, outcome: Result<Result<T, Failure>, Box<dyn Any + Send>>) -> PyResult<T> {
    match outcome {
        Ok(result) => result.map_err(|failure| raise(py, &failure)),
        Err(_) => Err(raise_class(
            py,
            "NativeDefect",
            "a panic in the native module; please report it",
            "set TOKENKIT_KERNEL=portable to see whether the vector kernel is at fault",
        )),
    }
}
