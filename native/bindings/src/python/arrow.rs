//! Arrow arrays in and out of Python through the PyCapsule interface.

use super::exceptions::raise;
use crate::failure::{Code, Failure};
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::{Array, ArrayRef, make_array};
use arrow_schema::Field;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};
use std::ffi::CStr;

const SCHEMA_CAPSULE: &CStr = c"arrow_schema";
const ARRAY_CAPSULE: &CStr = c"arrow_array";

fn unreadable(py: Python<'_>) -> PyErr {
    let failure = Failure::new(Code::UnsupportedType, "the object holds no Arrow array that can be read")
        .with_hint("give a pyarrow array, or any object with __arrow_c_array__");
    raise(py, &failure)
}

/// Takes an array from any object with `__arrow_c_array__`.
pub fn import(object: &Bound<'_, PyAny>) -> PyResult<(Field, ArrayRef)> {
    let py = object.py();
    // What the foreign object raises may quote its content.
    let capsules = object.call_method0("__arrow_c_array__").map_err(|_| unreadable(py))?;
    let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) =
        capsules.extract().map_err(|_| unreadable(py))?;
    let schema = schema.pointer_checked(Some(SCHEMA_CAPSULE)).map_err(|_| unreadable(py))?;
    let array = array.pointer_checked(Some(ARRAY_CAPSULE)).map_err(|_| unreadable(py))?;
    // SAFETY: a capsule of this name holds a schema, which stays the capsule's.
    let schema = unsafe { schema.cast::<FFI_ArrowSchema>().as_ref() };
    // SAFETY: a capsule of this name holds an array; `from_raw` moves it out and marks the original as released.
    let array = unsafe { FFI_ArrowArray::from_raw(array.as_ptr().cast::<FFI_ArrowArray>()) };
    let field = Field::try_from(schema).map_err(|_| unreadable(py))?;
    if array.is_released() {
        return Err(unreadable(py));
    }
    // arrow-rs asserts what it expects of a foreign array.
    let imported = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        // SAFETY: the producer promises that array and schema fit each other.
        let mut data = unsafe { from_ffi(array, schema) }.ok()?;
        data.align_buffers();
        data.validate().ok()?;
        Some(make_array(data))
    }));
    match imported {
        Ok(Some(array)) => Ok((field, array)),
        _ => Err(unreadable(py)),
    }
}

/// An Arrow array on its way out: hand it to `pyarrow.array` or any other consumer of the PyCapsule interface.
#[pyclass(frozen, module = "tokenkit._native")]
pub struct ArrowArray {
    field: Field,
    array: ArrayRef,
}

impl ArrowArray {
    /// Wraps an array.
    pub fn new(field: Field, array: ArrayRef) -> Self {
        ArrowArray { field, array }
    }
}

#[pymethods]
impl ArrowArray {
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        // The interface lets a producer ignore a requested schema.
        let _ = requested_schema;
        let schema = FFI_ArrowSchema::try_from(&self.field).map_err(|_| unreadable(py))?;
        let array = FFI_ArrowArray::new(&self.array.to_data());
        let schema = PyCapsule::new_with_value(py, schema, SCHEMA_CAPSULE)?;
        let array = PyCapsule::new_with_value(py, array, ARRAY_CAPSULE)?;
        PyTuple::new(py, [schema, array])
    }

    fn __len__(&self) -> usize {
        self.array.len()
    }

    fn __repr__(&self) -> String {
        format!("<ArrowArray of {} rows>", self.array.len())
    }
}
