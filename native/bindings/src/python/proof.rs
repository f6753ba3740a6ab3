//! Proofs of rekeyed columns, for Python: the sums themselves stay here.

use super::exceptions::raise;
use super::keyring::KeyHandle;
use crate::proof::{self, About, Side};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The proof of one rekeyed column; `tokenkit/_native.pyi` documents it.
#[pyclass(module = "tokenkit._native", frozen)]
pub struct RekeyProof {
    id: u64,
}

#[pymethods]
impl RekeyProof {
    #[new]
    fn new(
        py: Python<'_>,
        key: &KeyHandle,
        domain: &str,
        run: &[u8],
        file: &str,
        column: &str,
    ) -> PyResult<RekeyProof> {
        let begun = proof::begin(&*key.material(py)?, &About { domain, run, file, column });
        begun.map(|id| RekeyProof { id }).map_err(|failure| raise(py, &failure))
    }

    /// Its number in this process.
    #[getter]
    fn id(&self) -> u64 {
        self.id
    }

    /// Whether the values of the new tokens are those of the old ones, row by row.
    fn holds(&self, py: Python<'_>) -> PyResult<bool> {
        let proof = proof::find(self.id).map_err(|failure| raise(py, &failure))?;
        Ok(proof.found(Side::Old) == proof.found(Side::New))
    }

    /// Rows of each kind: null, empty, literal, value, sealed.
    fn counts(&self, py: Python<'_>, new: bool) -> PyResult<Vec<u64>> {
        let proof = proof::find(self.id).map_err(|failure| raise(py, &failure))?;
        Ok(proof.found(if new { Side::New } else { Side::Old }).counts().to_vec())
    }

    /// The HMAC over the sum and the counts.
    fn mac<'py>(&self, py: Python<'py>, new: bool) -> PyResult<Bound<'py, PyBytes>> {
        let proof = proof::find(self.id).map_err(|failure| raise(py, &failure))?;
        let sum = proof.found(if new { Side::New } else { Side::Old });
        Ok(PyBytes::new(py, &proof.key.authenticate(&sum)))
    }
}

impl Drop for RekeyProof {
    fn drop(&mut self) {
        proof::end(self.id);
    }
}
