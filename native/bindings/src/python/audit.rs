//! The audit log's chain for Python; `tokenkit/_native.pyi` documents it.

use super::arrow::{ArrowArray, import};
use super::exceptions::{detached, raise};
use super::keyring::KeyHandle;
use crate::audit::columns::Columns;
use crate::audit::{BATCH_COLUMNS, RECORD_COLUMNS, batch, copy, record, tuples};
use crate::failure::{Code, Failure};
use arrow_array::{Array, LargeBinaryArray};
use arrow_schema::{DataType, Field};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokenkit_algorithms::audit_chain::{Batch, Expected, Fault, FaultKind, Hash, RecordRow, Retained, Verifier};
use tokenkit_algorithms::derive::is_valid_domain;
use tokenkit_algorithms::scrub::scrubbed;

/// A fault as Python sees it: its kind, batch, position and time.
type Found = (&'static str, i64, Option<i64>, Option<i64>);

fn fixed<const N: usize>(py: Python<'_>, bytes: &[u8]) -> PyResult<[u8; N]> {
    bytes.try_into().map_err(|_| {
        raise(py, &Failure::new(Code::Specification, format!("a part of the audit chain doesn't have its {N} bytes")))
    })
}

/// The hash of each record, the first of which follows `head`.
#[pyfunction]
pub fn audit_chain(py: Python<'_>, key: &KeyHandle, head: &[u8], records: &Bound<'_, PyAny>) -> PyResult<ArrowArray> {
    let material = key.material(py)?;
    let head = fixed(py, head)?;
    let (_, records) = import(records)?;
    let hashes = detached(py, || Columns::of(&records)?.chain(&material.chain_key(), &head))?;
    Ok(ArrowArray::new(Field::new("hash", DataType::LargeBinary, false), Arc::new(hashes)))
}

/// Records and their hashes as the bytes of a COPY BINARY.
#[pyfunction]
pub fn audit_copy<'py>(
    py: Python<'py>,
    batch: i64,
    position: i64,
    records: &Bound<'_, PyAny>,
    hashes: &Bound<'_, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (_, records) = import(records)?;
    let (_, hashes) = import(hashes)?;
    let copied = detached(py, || {
        let hashes = hashes
            .as_any()
            .downcast_ref::<LargeBinaryArray>()
            .ok_or_else(|| Failure::new(Code::UnsupportedType, "hashes come as a large binary array"))?;
        copy::write(batch, position, &Columns::of(&records)?, hashes)
    })?;
    Ok(PyBytes::new(py, &copied))
}

/// The link of a batch.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "they are the columns of the batch's row")]
pub fn audit_link<'py>(
    py: Python<'py>,
    key: &KeyHandle,
    name: &str,
    previous: &[u8],
    number: i64,
    id: &[u8],
    times: (i64, i64, i64),
    count: i64,
    last_hash: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let material = key.material(py)?;
    let (written, first_at, last_at) = times;
    let batch = Batch {
        number,
        id: fixed(py, id)?,
        written,
        first_at,
        last_at,
        count,
        last_hash: fixed(py, last_hash)?,
        key: name.as_bytes().to_vec(),
        key_id: i64::from(key.identity()),
        check_value: key.checked(),
    };
    Ok(PyBytes::new(py, &material.chain_key().link(&fixed(py, previous)?, &batch)))
}

/// The keyed hash by which the log names a token of a domain.
#[pyfunction]
pub fn audit_token_hash<'py>(
    py: Python<'py>,
    key: &KeyHandle,
    domain: &str,
    token: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    if !is_valid_domain(domain) {
        return Err(raise(py, &Failure::new(Code::Specification, "a token's hash needs the token's domain")));
    }
    Ok(PyBytes::new(py, &key.material(py)?.token_hash(domain, token)))
}

/// Verifies the chain of an audit log.
#[pyclass(frozen, module = "tokenkit._native")]
pub struct AuditVerifier(Mutex<State>);

struct State {
    verifier: Verifier,
    fault: Option<Fault>,
}

impl State {
    fn take(&mut self, walked: Result<(), Fault>) -> bool {
        if let Err(fault) = walked {
            self.fault.get_or_insert(fault);
        }
        self.fault.is_none()
    }

    fn copied(&mut self, data: &[u8]) -> Result<bool, Failure> {
        let mut rows = copy::Rows::<RECORD_COLUMNS>::new(data);
        scrubbed(|| {
            while self.fault.is_none()
                && let Some(row) = rows.next_row()?
            {
                let walked = self.verifier.record(&record(&row));
                self.take(walked);
            }
            Ok(self.fault.is_none())
        })
    }

    /// Whether one of these rows is the record that belongs where the fault is.
    fn finds(&mut self, stored: Option<&Hash>, row: &RecordRow<'_>) -> bool {
        self.fault.is_some_and(|fault| self.verifier.belongs(&fault, stored, row))
    }
}

impl AuditVerifier {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn found(fault: &Fault) -> Found {
    let kind = match fault.kind {
        FaultKind::Changed => "changed",
        FaultKind::Missing => "missing",
        FaultKind::Added => "added",
        FaultKind::BatchMissing => "batch_missing",
        FaultKind::BatchChanged => "batch_changed",
        FaultKind::KeyUnknown => "key_unknown",
        FaultKind::Checkpoint => "checkpoint",
        FaultKind::Truncated => "truncated",
    };
    (kind, fault.batch, fault.position, fault.at)
}

#[pymethods]
impl AuditVerifier {
    #[new]
    fn new(
        py: Python<'_>,
        keys: Vec<PyRef<'_, KeyHandle>>,
        checkpoints: Vec<(i64, Vec<u8>, i64)>,
        retained: Vec<(i64, i64)>,
    ) -> PyResult<AuditVerifier> {
        let keys = keys
            .iter()
            .map(|key| Ok(((i64::from(key.identity()), key.checked()), key.material(py)?.chain_key())))
            .collect::<PyResult<Vec<_>>>()?;
        let checkpoints = checkpoints
            .into_iter()
            .map(|(number, link, records)| Ok(Expected { number, link: fixed(py, &link)?, records }))
            .collect::<PyResult<Vec<_>>>()?;
        let retained = retained.into_iter().map(|(number, before)| Retained { number, before }).collect();
        let verifier = Verifier::new(keys, checkpoints, retained);
        Ok(AuditVerifier(Mutex::new(State { verifier, fault: None })))
    }

    /// Takes batches' rows out of a COPY BINARY.
    fn batches_copied(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        let mut state = self.lock();
        let mut rows = copy::Rows::<BATCH_COLUMNS>::new(data);
        while let Some(row) = rows.next_row().map_err(|failure| raise(py, &failure))? {
            state.verifier.batch(batch(&row));
        }
        Ok(())
    }

    /// Takes batches' rows as SQLite gives them.
    fn batches(&self, rows: Vec<Bound<'_, PyTuple>>) {
        let mut state = self.lock();
        for row in &rows {
            state.verifier.batch(batch(&tuples::Row::of(row, BATCH_COLUMNS)));
        }
    }

    /// Takes records' rows out of a COPY BINARY; tells whether they are right.
    fn records_copied(&self, py: Python<'_>, data: &[u8]) -> PyResult<bool> {
        detached(py, || self.lock().copied(data))
    }

    /// Takes records' rows as SQLite gives them; tells whether they are right.
    fn records(&self, rows: &Bound<'_, PyList>) -> PyResult<bool> {
        let mut state = self.lock();
        scrubbed(|| {
            for row in rows {
                let row = row.cast_into::<PyTuple>()?;
                if state.fault.is_some() {
                    break;
                }
                let walked = state.verifier.record(&record(&tuples::Row::of(&row, RECORD_COLUMNS)));
                state.take(walked);
            }
            Ok(state.fault.is_none())
        })
    }

    /// Says that the batches given so far have no more records; tells whether all is right.
    fn settle(&self) -> bool {
        let mut state = self.lock();
        if state.fault.is_some() {
            return false;
        }
        let walked = state.verifier.settle();
        state.take(walked)
    }

    /// Says that nothing more comes, and what the head's row says; tells whether all is right.
    fn finish(&self, head: Option<(i64, Vec<u8>)>) -> bool {
        let mut state = self.lock();
        if state.fault.is_some() {
            return false;
        }
        // A link of another length is nobody's.
        let head = head.map(|(number, link)| match link.try_into() {
            Ok(link) => (number, link),
            Err(_) => (i64::MIN, [0; 32]),
        });
        let walked = state.verifier.finish(head);
        state.take(walked)
    }

    /// Whether one of these rows of a COPY BINARY belongs where the fault is.
    fn moved_copied(&self, py: Python<'_>, stored: Option<&[u8]>, data: &[u8]) -> PyResult<bool> {
        let stored = stored.and_then(|stored| stored.try_into().ok());
        let mut state = self.lock();
        let mut rows = copy::Rows::<RECORD_COLUMNS>::new(data);
        scrubbed(|| {
            let mut moved = false;
            while !moved && let Some(row) = rows.next_row().map_err(|failure| raise(py, &failure))? {
                moved = state.finds(stored.as_ref(), &record(&row));
            }
            Ok(moved)
        })
    }

    /// Whether one of these rows, as SQLite gives them, belongs where the fault is.
    fn moved(&self, stored: Option<&[u8]>, rows: Vec<Bound<'_, PyTuple>>) -> bool {
        let stored = stored.and_then(|stored| stored.try_into().ok());
        let mut state = self.lock();
        scrubbed(|| rows.iter().any(|row| state.finds(stored.as_ref(), &record(&tuples::Row::of(row, RECORD_COLUMNS)))))
    }

    /// The first fault: kind, batch, position and time.
    #[getter]
    fn fault(&self) -> Option<Found> {
        self.lock().fault.as_ref().map(found)
    }

    /// Batches, records, records that retention removed, and their batches.
    #[getter]
    fn counts(&self) -> (i64, i64, i64, i64) {
        let counts = self.lock().verifier.counts();
        (counts.batches, counts.records, counts.removed, counts.removed_batches)
    }

    /// The link of the last batch that was right.
    #[getter]
    fn link<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.lock().verifier.link())
    }
}
