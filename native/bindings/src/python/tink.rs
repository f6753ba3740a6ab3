//! Tink keysets for `tokenkit.keys.tink`: in and out as bytearrays, which can be wiped.

use super::exceptions::{raise, raise_class};
use super::keyring::KeyHandle;
use crate::keys::tink::{self, Algorithm};
use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use tokenkit_algorithms::scrub::scrubbed;
use zeroize::{Zeroize, Zeroizing};

/// A key and whether it is enabled.
type Opened = (Py<KeyHandle>, bool);

/// Writes a JSON keyset of a domain's derived keys, or of raw ones. The caller wipes it.
#[pyfunction]
pub fn tink_keyset<'py>(
    py: Python<'py>,
    algorithm: &str,
    domain: &str,
    primary: u32,
    keys: Vec<(PyRef<'py, KeyHandle>, bool)>,
) -> PyResult<Bound<'py, PyByteArray>> {
    let Some(algorithm) = Algorithm::named(algorithm) else {
        return Err(raise_class(py, "InvalidKey", "a keyset is for aes-siv or hmac", "choose one of these"));
    };
    let keys = keys
        .iter()
        .map(|(key, enabled)| Ok((key.identity(), key.material(py)?, *enabled)))
        .collect::<PyResult<Vec<_>>>()?;
    scrubbed(|| tink::write(algorithm, domain, primary, &keys).map(|keyset| PyByteArray::new(py, &keyset)))
        .map_err(|failure| raise(py, &failure))
}

/// Loads the keys of a JSON keyset; the bytearray is wiped, whatever happens.
#[pyfunction]
pub fn open_tink_keyset(py: Python<'_>, content: &Bound<'_, PyByteArray>) -> PyResult<(u32, Vec<Opened>)> {
    let loaded = scrubbed(|| {
        let copy = Zeroizing::new(content.to_vec());
        // SAFETY: the interpreter lock is held and no Python code runs while the slice is in use.
        unsafe { content.as_bytes_mut() }.zeroize();
        tink::read(&copy)
    });
    let loaded = loaded.map_err(|failure| raise(py, &failure))?;
    let keys = loaded.keys.into_iter().map(|(handle, enabled)| Ok((Py::new(py, KeyHandle::new(handle))?, enabled)));
    Ok((loaded.primary, keys.collect::<PyResult<_>>()?))
}
