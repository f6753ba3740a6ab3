//! Columns from Python, outside Polars.

use super::arrow::{ArrowArray, import};
use super::exceptions::{attached, detached, raise, raise_class};
use crate::column::TweakColumn;
use crate::failure::{Code, Failure};
use crate::spec::Specification;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, StringArray, StructArray};
use arrow_schema::{DataType, Field};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};
use std::sync::Arc;

const KERNEL_VARIABLE: &str = "TOKENKIT_KERNEL";

/// Applies a column specification to one Arrow array.
#[pyfunction]
#[pyo3(signature = (specification, values, name, tweaks = None))]
pub fn transform(
    py: Python<'_>,
    specification: &str,
    values: &Bound<'_, PyAny>,
    name: &str,
    tweaks: Option<&Bound<'_, PyAny>>,
) -> PyResult<ArrowArray> {
    let specification = Specification::parse(specification).map_err(|failure| raise(py, &failure))?;
    if specification.has_tweak_column() != tweaks.is_some() {
        let failure = Failure::new(Code::Specification, "the call has the wrong number of input columns");
        return Err(raise(py, &failure));
    }
    let (field, values) = import(values)?;
    let tweaks = tweaks.map(import).transpose()?.map(|(_, tweaks)| tweaks);
    let field = specification
        .output_field(&Field::new(name, field.data_type().clone(), true))
        .map_err(|failure| raise(py, &failure))?;
    let array = detached(py, || {
        let tweaks = tweaks.as_slice();
        let tweaks = match tweaks {
            [] => None,
            chunks => Some(TweakColumn::new(chunks).ok_or_else(|| {
                Failure::new(Code::TweakMismatch, "a tweak column holds strings or bytes").with_column(name)
            })?),
        };
        let mut chunks = specification.run(name, &[values], tweaks.as_ref())?;
        chunks.pop().ok_or_else(|| Failure::new(Code::NativeDefect, "a chunk got lost"))
    })?;
    Ok(ArrowArray::new(field, array))
}

/// A column specification that is run on one value after the other, each of which is an array of its own.
///
/// It keeps the interpreter's lock: to give it up and get it back takes longer than a value does.
#[pyclass(frozen, module = "tokenkit._native")]
pub struct ValueTransform {
    specification: Specification,
}

#[pymethods]
impl ValueTransform {
    #[new]
    fn new(py: Python<'_>, specification: &str) -> PyResult<Self> {
        let specification = Specification::parse(specification).map_err(|failure| raise(py, &failure))?;
        Ok(ValueTransform { specification })
    }

    /// What a value becomes, and why it doesn't fit; the specification's output is the outcome.
    #[pyo3(signature = (value, tweak = None))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        value: &Bound<'py, PyAny>,
        tweak: Option<&str>,
    ) -> PyResult<(Bound<'py, PyAny>, Option<String>)> {
        let array = one(value).map_err(|failure| raise(py, &failure))?;
        let tweaks: Option<ArrayRef> =
            self.specification.has_tweak_column().then(|| Arc::new(StringArray::from(vec![tweak])) as ArrayRef);
        if tweak.is_some() && tweaks.is_none() {
            let failure = Failure::new(Code::Specification, "the call has the wrong number of input columns");
            return Err(raise(py, &failure));
        }
        let outcome = attached(py, || {
            let chunks = tweaks.as_slice();
            let column = match chunks {
                [] => None,
                chunks => Some(
                    TweakColumn::new(chunks)
                        .ok_or_else(|| Failure::new(Code::TweakMismatch, "a tweak column holds strings or bytes"))?,
                ),
            };
            let mut found = self.specification.clone().run("", &[array], column.as_ref())?;
            found.pop().ok_or_else(|| Failure::new(Code::NativeDefect, "a chunk got lost"))
        })?;
        let parts = outcome.as_any().downcast_ref::<StructArray>().filter(|parts| parts.num_columns() == 2);
        let Some(parts) = parts else {
            return Err(raise(py, &Failure::new(Code::Specification, "the call tells no reasons")));
        };
        let reason = parts.column(1);
        let reason = (!reason.is_null(0)).then(|| reason.as_string_view().value(0).to_owned());
        Ok((first(py, parts.column(0))?, reason))
    }
}

/// A column of one value.
fn one(value: &Bound<'_, PyAny>) -> Result<ArrayRef, Failure> {
    let refused = || {
        Failure::new(Code::UnsupportedType, "a value is a string, an integer of 64 bits, or null")
            .with_hint("write other kinds of values as strings")
    };
    if value.is_none() {
        return Ok(Arc::new(StringArray::from(vec![None::<&str>])));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Arc::new(StringArray::from(vec![text.to_str().map_err(|_| refused())?])));
    }
    // A boolean is an integer too, to Python.
    let number = value.cast_exact::<PyInt>().map_err(|_| refused())?;
    Ok(Arc::new(Int64Array::from(vec![number.extract::<i64>().map_err(|_| refused())?])))
}

fn first<'py>(py: Python<'py>, array: &ArrayRef) -> PyResult<Bound<'py, PyAny>> {
    if array.is_null(0) {
        return Ok(py.None().into_bound(py));
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(0).into_bound_py_any(py),
        DataType::LargeUtf8 => array.as_string::<i64>().value(0).into_bound_py_any(py),
        DataType::Utf8View => array.as_string_view().value(0).into_bound_py_any(py),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(0).into_bound_py_any(py),
        _ => Err(raise(py, &Failure::new(Code::NativeDefect, "a value came back in another type"))),
    }
}

/// The kernel in use: `vector` or `portable`.
#[pyfunction]
pub fn kernel() -> &'static str {
    crate::kernel::current().name()
}

/// Chooses the kernel (`auto` or `portable`) and gives the previous choice.
#[pyfunction]
pub fn select_kernel(py: Python<'_>, name: &str) -> PyResult<&'static str> {
    let previous = crate::kernel::selected();
    if crate::kernel::select(name) {
        Ok(previous)
    } else {
        Err(raise_class(py, "SchemeError", "a kernel is auto or portable", "unset TOKENKIT_KERNEL for the best one"))
    }
}

/// Reads `TOKENKIT_KERNEL`, once, when the module is imported.
pub fn read_environment() -> PyResult<()> {
    let known = match std::env::var(KERNEL_VARIABLE) {
        Ok(name) if !name.is_empty() => crate::kernel::select(&name),
        _ => true,
    };
    if known { Ok(()) } else { Err(pyo3::exceptions::PyImportError::new_err("TOKENKIT_KERNEL is auto or portable")) }
}
