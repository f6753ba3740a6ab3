//! Rejected rows, cell by cell: each sealed with AES-256-GCM under its column's key, bound to its place.
//!
//! The associated data say which cell it is, so that none can be moved to another row, column, file or run. The key is
//! derived anew for each run: nonces are random, and 96 bits of them wear out under one key (decision 10).

mod inputs;
mod specification;

pub use specification::{Plan, Specification};

use crate::failure::{Code, Failure};
use crate::plugin::Column;
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{AeadInOut, Nonce, Tag};
use arrow_array::builder::BinaryViewBuilder;
use arrow_array::{ArrayRef, StructArray};
use arrow_schema::{DataType, Field, Fields};
use inputs::{Inputs, Place};
use std::sync::Arc;
use tokenkit_algorithms::scrub::scrubbed;
use zeroize::{Zeroize, Zeroizing};

const NAME: &[u8] = b"tokenkit/rejects/1\0";
/// Bytes in a run's id.
pub const RUN_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// The longest cell: a view counts bytes in 32 bits.
const LONGEST_CELL: usize = 1 << 30;

const NULL: u8 = 0;
const VALUE: u8 = 1;

/// What to do with cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Cells become sealed cells.
    Seal,
    /// Sealed cells become cells.
    Open,
}

/// The type that comes out: one binary field for each cell.
pub fn output_type(names: impl Iterator<Item = String>) -> DataType {
    DataType::Struct(names.map(|name| Field::new(name, DataType::BinaryView, true)).collect())
}

fn authenticated(run: &[u8; RUN_BYTES], row: u64, texts: [&str; 4], out: &mut Vec<u8>) -> Result<(), Failure> {
    out.clear();
    out.extend(NAME);
    out.extend(run);
    out.extend(row.to_be_bytes());
    for text in texts {
        let length = u32::try_from(text.len())
            .map_err(|_| Failure::new(Code::UnsupportedType, "a file's or column's name is longer than 4 GiB"))?;
        out.extend(length.to_be_bytes());
        out.extend(text.as_bytes());
    }
    Ok(())
}

impl Plan {
    /// Seals or opens the cells of every row.
    pub fn run(&self, direction: Direction, columns: &[Column]) -> Result<ArrayRef, Failure> {
        let inputs = Inputs::new(columns, self.cells.len())?;
        let fields = scrubbed(|| match direction {
            Direction::Seal => self.seal(&inputs),
            Direction::Open => {
                let mut data = Vec::new();
                (0..self.cells.len()).map(|index| self.open_column(&inputs, index, &mut data)).collect()
            }
        })?;
        let names: Fields =
            self.cells.iter().map(|cell| Field::new(cell.column.as_str(), DataType::BinaryView, true)).collect();
        let array = StructArray::try_new_with_length(names, fields, None, inputs.rows())
            .map_err(|_| Failure::new(Code::NativeDefect, "the cells of a row got lost"))?;
        Ok(Arc::new(array))
    }

    /// The key of a cell; its associated data go into `data`.
    fn key(&self, place: &Place<'_>, column: usize, data: &mut Vec<u8>) -> Result<&Aes256Gcm, Failure> {
        let (cell, failing) = (&self.cells[column], self.cells.get(place.failing).ok_or_else(no_failing)?);
        let failing_key = failing.key.as_ref().ok_or_else(no_failing)?;
        authenticated(&self.run, place.row, [place.file, &cell.column, &failing.column, place.reason], data)?;
        Ok(cell.key.as_deref().unwrap_or(failing_key))
    }

    fn seal(&self, inputs: &Inputs<'_>) -> Result<Vec<ArrayRef>, Failure> {
        let mut outputs: Vec<_> = self.cells.iter().map(|_| BinaryViewBuilder::with_capacity(inputs.rows())).collect();
        let mut nonces = vec![0; inputs.rows() * outputs.len() * NONCE_BYTES];
        getrandom::fill(&mut nonces)
            .map_err(|_| Failure::new(Code::NativeDefect, "the operating system gave no random numbers"))?;
        let (mut data, mut sealed) = (Vec::new(), Vec::new());
        for (row, nonces) in nonces.as_chunks().0.chunks_exact(outputs.len()).enumerate() {
            let place = inputs.place(row)?;
            for (column, (nonce, output)) in nonces.iter().zip(&mut outputs).enumerate() {
                let key = self.key(&place, column, &mut data)?;
                seal(key, nonce, &data, inputs.cell(column, row), &mut sealed)
                    .map_err(|failure| failure.with_column(&self.cells[column].column))?;
                output.append_value(&sealed);
            }
        }
        Ok(outputs.iter_mut().map(|output| Arc::new(output.finish()) as ArrayRef).collect())
    }

    fn open_column(&self, inputs: &Inputs<'_>, column: usize, data: &mut Vec<u8>) -> Result<ArrayRef, Failure> {
        let mut output = BinaryViewBuilder::with_capacity(inputs.rows());
        let mut opened = Zeroizing::new(Vec::new());
        for row in 0..inputs.rows() {
            let place = inputs.place(row)?;
            let key = self.key(&place, column, data)?;
            match open(key, data, inputs.cell(column, row), &mut opened) {
                Some(NULL) => output.append_null(),
                Some(_) => output.append_value(&opened[1..]),
                None => {
                    let message = format!("a cell of rejected row {} isn't what was sealed there", place.row);
                    return Err(Failure::new(Code::NotAuthentic, message)
                        .with_column(&self.cells[column].column)
                        .with_hint("the file of rejected rows was altered, or belongs to another run"));
                }
            }
        }
        Ok(Arc::new(output.finish()))
    }
}

fn no_failing() -> Failure {
    Failure::new(Code::Specification, "a rejected row names no column with a key that its value doesn't fit")
}

/// Seals a cell into `buffer`.
fn seal(
    key: &Aes256Gcm,
    nonce: &[u8; NONCE_BYTES],
    data: &[u8],
    value: Option<&[u8]>,
    buffer: &mut Vec<u8>,
) -> Result<(), Failure> {
    let value_length = value.map_or(0, <[u8]>::len);
    if value_length > LONGEST_CELL {
        return Err(Failure::new(Code::UnsupportedType, "a cell is longer than 1 GiB"));
    }
    buffer.clear();
    // At full size at once, so that no growth leaves a copy of the value behind.
    buffer.reserve_exact(NONCE_BYTES + 1 + value_length + TAG_BYTES);
    buffer.extend(nonce);
    buffer.push(if value.is_some() { VALUE } else { NULL });
    buffer.extend(value.unwrap_or_default());
    let tag = key
        .encrypt_inout_detached(&Nonce::<Aes256Gcm>::from(*nonce), data, (&mut buffer[NONCE_BYTES..]).into())
        .map_err(|_| Failure::new(Code::NativeDefect, "AES-GCM refused a cell"))?;
    buffer.extend(tag);
    Ok(())
}

/// Opens a cell into `buffer` and gives its kind, which is the first byte; none if it isn't authentic.
fn open(key: &Aes256Gcm, data: &[u8], sealed: Option<&[u8]>, buffer: &mut Vec<u8>) -> Option<u8> {
    let (nonce, rest) = sealed?.split_first_chunk::<NONCE_BYTES>()?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
    // The last value is overwritten before a growth could leave it behind.
    buffer.as_mut_slice().zeroize();
    buffer.clear();
    buffer.extend(ciphertext);
    let (nonce, tag) = (Nonce::<Aes256Gcm>::from(*nonce), Tag::<Aes256Gcm>::from(*tag));
    key.decrypt_inout_detached(&nonce, data, buffer.as_mut_slice().into(), &tag).ok()?;
    match buffer.as_slice() {
        [NULL] => Some(NULL),
        [VALUE, ..] => Some(VALUE),
        _ => None,
    }
}
