//! Counters of rows, for Python.

use crate::rows::{self, Counter};
use pyo3::prelude::*;
use std::sync::Arc;

/// A counter that plans name by its number; `tokenkit/_native.pyi` documents it.
#[pyclass(module = "tokenkit._native", frozen)]
pub struct RowCounter {
    id: u64,
    counter: Arc<Counter>,
}

#[pymethods]
impl RowCounter {
    #[new]
    fn new() -> RowCounter {
        let (id, counter) = rows::begin();
        RowCounter { id, counter }
    }

    /// Its number in this process.
    #[getter]
    fn id(&self) -> u64 {
        self.id
    }

    /// How many rows have gone through.
    #[getter]
    fn rows(&self) -> u64 {
        self.counter.rows()
    }

    /// Ends the query at its next morsel.
    fn cancel(&self) {
        self.counter.cancel();
    }
}

impl Drop for RowCounter {
    fn drop(&mut self) {
        rows::end(self.id);
    }
}
