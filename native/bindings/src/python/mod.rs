//! The Python module `tokenkit._native`. `tokenkit/_native.pyi` documents every export; a test holds it against this.

mod arrow;
mod audit;
mod exceptions;
mod hazmat;
mod json_lines;
mod keyring;
mod proof;
mod rows;
mod structure;
mod tink;
mod transform;

use crate::column::REASONS;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::arrow::ArrowArray;
    #[pymodule_export]
    use super::audit::{AuditVerifier, audit_chain, audit_copy, audit_link, audit_token_hash};
    #[pymodule_export]
    use super::hazmat::{AesSiv, Ff1};
    #[pymodule_export]
    use super::json_lines::JsonLines;
    #[pymodule_export]
    use super::keyring::{
        KeyHandle, generate_key, header_mac, import_key, key_usage, keys_are_locked, metadata_mac, open_payload,
        seal_payload,
    };
    #[pymodule_export]
    use super::proof::RekeyProof;
    #[pymodule_export]
    use super::rows::RowCounter;
    #[pymodule_export]
    use super::structure::CsvStructure;
    #[pymodule_export]
    use super::tink::{open_tink_keyset, tink_keyset};
    #[pymodule_export]
    use super::transform::{ValueTransform, kernel, select_kernel, transform};
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("REASONS", PyTuple::new(module.py(), REASONS.map(|reason| reason.code()))?)?;
        super::exceptions::quiet_panics();
        super::transform::read_environment()
    }
}
