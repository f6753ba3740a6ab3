//! Columns from Python, outside Polars.

use super::arrow::{ArrowArray, import};
use super::exceptions::{detached, raise, raise_class};
use crate::column::TweakColumn;
use crate::failure::{Code, Failure};
use crate::spec::Specification;
use arrow_schema::Field;
use pyo3::prelude::*;

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
