//! Key versions of this process: where their bytes live, and how a keyring's payload is sealed and opened.

pub mod kind;
pub mod payload;
pub mod registry;
pub mod tink;
pub mod usage;

pub use registry::{KeyReference, Subkey};
