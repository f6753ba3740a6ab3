//! What NDJSON lines hold, for Python.

use super::exceptions::{detached, raise_class};
use crate::json_lines::{Column, First, Lines, Malformed};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Mutex;

/// Looks at NDJSON lines: which keys there are, what their values are, and what a table can't hold.
#[pyclass(frozen, module = "tokenkit._native")]
pub struct JsonLines(Mutex<Lines>);

fn raise(py: Python<'_>, malformed: Malformed) -> PyErr {
    let build = || {
        let fields = PyDict::new(py);
        fields.set_item("line", malformed.line)?;
        fields.set_item("hint", "correct the line")?;
        py.import("tokenkit.errors")?.getattr("InputError")?.call((malformed.problem.to_string(),), Some(&fields))
    };
    build().map_or_else(|error| error, PyErr::from_value)
}

fn facts(column: &Column) -> Vec<(&'static str, u64)> {
    let all: [(&'static str, First); 13] = [
        ("text", column.text),
        ("integer", column.integer),
        ("fraction", column.fraction),
        ("boolean", column.boolean),
        ("null", column.null),
        ("list", column.list),
        ("object", column.object),
        ("negative", column.negative),
        ("unsigned", column.unsigned),
        ("beyond", column.beyond),
        ("negative_zero", column.negative_zero),
        ("inexact_fraction", column.inexact_fraction),
        ("inexact_integer", column.inexact_integer),
    ];
    all.into_iter().map(|(fact, first)| (fact, first.line())).filter(|&(_, line)| line > 0).collect()
}

impl JsonLines {
    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Lines) -> T + Send) -> PyResult<T> {
        let outcome = detached(py, || Ok(self.0.lock().ok().map(|mut lines| work(&mut lines))))?;
        outcome.ok_or_else(|| raise_class(py, "NativeDefect", "looking at NDJSON lines has failed", "start again"))
    }
}

#[pymethods]
impl JsonLines {
    #[new]
    #[pyo3(signature = (names = None))]
    fn new(names: Option<Vec<String>>) -> Self {
        JsonLines(Mutex::new(Lines::new(names)))
    }

    /// Looks at whole lines, the first of which has the number `first_line`.
    fn feed(&self, py: Python<'_>, text: &str, first_line: u64) -> PyResult<()> {
        self.with(py, |lines| lines.feed(text, first_line))?.map_err(|malformed| raise(py, malformed))
    }

    /// Rows so far.
    #[getter]
    fn rows(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |lines| lines.rows())
    }

    /// For each key, in the order of appearance, the line on which each fact about its values was first seen.
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyDict>)>> {
        let columns = self.with(py, |lines| {
            lines.columns().iter().map(|(name, column)| (name.clone(), facts(column))).collect::<Vec<_>>()
        })?;
        columns
            .into_iter()
            .map(|(name, facts)| {
                let dict = PyDict::new(py);
                for (fact, line) in facts {
                    dict.set_item(fact, line)?;
                }
                Ok((name, dict))
            })
            .collect()
    }
}
