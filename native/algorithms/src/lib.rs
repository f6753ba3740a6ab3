//! The algorithms of tokenkit, without Python and without Arrow: FF1 and AES-SIV in batches,
//! subkey derivation and check digits.
//!
//! FF1 (SP 800-38G rev. 1) has two implementations that agree bit for bit: a portable one, and one
//! for x86-64 processors with VAES and AVX-512 IFMA, which a [`kernel::Kernel`] selects.

pub mod aes;
pub mod alphabet;
pub mod audit_chain;
pub mod check_digit;
pub mod cmac;
pub mod csv_structure;
pub mod derive;
pub mod ff1;
pub mod kernel;
pub mod locked;
pub mod proof;
pub mod scrub;
pub mod siv;
