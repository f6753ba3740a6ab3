//! Key handles and keyring payloads for `tokenkit.keys`. Key bytes don't pass through Python objects, but for
//! `import_key`, which wipes the bytearray that it is given.

use super::exceptions::{raise, raise_class};
use crate::keys::kind::Kind;
use crate::keys::payload::{self, FILE_KEY_BYTES, OpenError};
use crate::keys::registry::{Handle, KeyMaterial, VERSION_BYTES};
use crate::keys::usage;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyList};
use std::sync::{Arc, Mutex, PoisonError};
use tokenkit_algorithms::locked::is_locked;
use tokenkit_algorithms::scrub::scrubbed;
use zeroize::{Zeroize, Zeroizing};

/// Keeps a key version loaded. Shows an id and a key-check value, never bytes; can't be made, copied or pickled.
#[pyclass(frozen, module = "tokenkit._native")]
pub struct KeyHandle {
    id: u32,
    check_value: [u8; 16],
    kind: Kind,
    reveals: bool,
    handle: Mutex<Option<Handle>>,
}

impl KeyHandle {
    pub(super) fn new(handle: Handle) -> Self {
        KeyHandle {
            id: handle.id(),
            check_value: handle.check_value(),
            kind: handle.kind(),
            reveals: handle.reveals(),
            handle: Mutex::new(Some(handle)),
        }
    }

    pub(super) fn identity(&self) -> u32 {
        self.id
    }

    pub(super) fn checked(&self) -> [u8; 16] {
        self.check_value
    }

    pub(super) fn material(&self, py: Python<'_>) -> PyResult<Arc<KeyMaterial>> {
        let guard = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        match guard.as_ref() {
            Some(handle) => handle.material().map_err(|failure| raise(py, &failure)),
            None => Err(raise_class(py, "KeyringClosed", "the key was released", "open the keyring again")),
        }
    }
}

fn refuse_export(py: Python<'_>) -> PyErr {
    raise_class(
        py,
        "KeyNotExportable",
        "a key handle can't be pickled or copied",
        "open the keyring in the process that needs the key",
    )
}

#[pymethods]
impl KeyHandle {
    /// The version's id.
    #[getter]
    fn id(&self) -> u32 {
        self.id
    }

    /// The version's key-check value, 16 bytes.
    #[getter]
    fn check_value<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.check_value)
    }

    /// What kind of key it is.
    #[getter]
    fn kind(&self) -> &'static str {
        self.kind.name()
    }

    /// Whether the key was loaded for turning tokens back, too.
    #[getter]
    fn reveals(&self) -> bool {
        self.reveals
    }

    /// Lets go of the key; when nothing else holds it, its bytes are overwritten.
    fn release(&self) {
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(handle);
    }

    fn __repr__(&self) -> String {
        format!("<KeyHandle id={}>", self.id)
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(refuse_export(py))
    }

    fn __copy__(&self, py: Python<'_>) -> PyResult<()> {
        Err(refuse_export(py))
    }

    fn __deepcopy__(&self, py: Python<'_>, _memo: Bound<'_, PyAny>) -> PyResult<()> {
        Err(refuse_export(py))
    }
}

/// Copies secret bytes out of a bytearray, if it has the right length.
fn secret<const N: usize>(bytes: &Bound<'_, PyByteArray>) -> PyResult<Zeroizing<[u8; N]>> {
    // SAFETY: the interpreter lock is held and no Python code runs while the slice is in use.
    let slice = unsafe { bytes.as_bytes() };
    let copy: [u8; N] = slice.try_into().map_err(|_| {
        raise_class(bytes.py(), "InvalidKey", &format!("a key has {N} bytes"), "generate one with tokenkit keys create")
    })?;
    Ok(Zeroizing::new(copy))
}

/// Makes a new key version from the operating system's random numbers.
#[pyfunction]
pub fn generate_key(py: Python<'_>, id: u32) -> PyResult<KeyHandle> {
    Handle::generate(id).map(KeyHandle::new).map_err(|failure| raise(py, &failure))
}

/// Loads 32 bytes as a key version; the bytearray is wiped, whatever happens.
#[pyfunction]
pub fn import_key(py: Python<'_>, id: u32, secret: &Bound<'_, PyByteArray>) -> PyResult<KeyHandle> {
    scrubbed(|| {
        let copy = self::secret::<VERSION_BYTES>(secret);
        // SAFETY: the interpreter lock is held and no Python code runs while the slice is in use.
        unsafe { secret.as_bytes_mut() }.zeroize();
        Handle::load(id, &mut *copy?).map(KeyHandle::new).map_err(|failure| raise(py, &failure))
    })
}

/// Seals metadata and key versions under a file key, with the header authenticated.
#[pyfunction]
pub fn seal_payload<'py>(
    py: Python<'py>,
    file_key: &Bound<'py, PyByteArray>,
    header: &[u8],
    metadata: &[u8],
    keys: Vec<PyRef<'py, KeyHandle>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let keys = keys.iter().map(|key| Ok((key.id, key.material(py)?))).collect::<PyResult<Vec<_>>>()?;
    scrubbed(|| {
        payload::seal(&*secret::<FILE_KEY_BYTES>(file_key)?, header, metadata, &keys)
            .map(|sealed| PyBytes::new(py, &sealed))
            .map_err(|failure| raise(py, &failure))
    })
}

/// Opens what `seal_payload` made: the metadata and the loaded key versions.
#[pyfunction]
#[pyo3(signature = (file_key, header, sealed, reveals = true))]
pub fn open_payload<'py>(
    py: Python<'py>,
    file_key: &Bound<'py, PyByteArray>,
    header: &[u8],
    sealed: &[u8],
    reveals: bool,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyList>)> {
    match scrubbed(|| Ok::<_, PyErr>(payload::open(&*secret::<FILE_KEY_BYTES>(file_key)?, header, sealed, reveals)))? {
        Ok((metadata, handles)) => {
            let handles = PyList::new(
                py,
                handles.into_iter().map(KeyHandle::new).map(|key| Py::new(py, key)).collect::<PyResult<Vec<_>>>()?,
            )?;
            Ok((PyBytes::new(py, &metadata), handles))
        }
        Err(OpenError::Tampered) => Err(raise_class(
            py,
            "KeyringTampered",
            "the keyring file is not what was saved",
            "restore it from a backup that you trust",
        )),
        Err(OpenError::Load(failure)) => Err(raise(py, &failure)),
    }
}

/// HMAC-SHA-256 of a keyring file's header.
#[pyfunction]
pub fn header_mac<'py>(
    py: Python<'py>,
    file_key: &Bound<'py, PyByteArray>,
    header: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let mac = scrubbed(|| Ok::<_, PyErr>(payload::header_mac(&*secret::<FILE_KEY_BYTES>(file_key)?, header)))?;
    Ok(PyBytes::new(py, &mac))
}

/// HMAC-SHA-256 under a loaded version's "metadata MAC" subkey.
#[pyfunction]
pub fn metadata_mac<'py>(py: Python<'py>, key: &KeyHandle, message: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &key.material(py)?.metadata_mac(message)))
}

/// What was counted for each key version in this process: id, check value, tokenized, detokenized, last use.
#[pyfunction]
pub fn key_usage(py: Python<'_>) -> Vec<(u32, Bound<'_, PyBytes>, u64, u64, u64)> {
    let counted = usage::counted().into_iter();
    counted
        .map(|one| (one.id, PyBytes::new(py, &one.check_value), one.tokenized, one.detokenized, one.last_used))
        .collect()
}

/// Whether all memory for keys could be locked.
#[pyfunction]
pub fn keys_are_locked() -> bool {
    is_locked()
}
