//! The columns of a call on rejected rows: where each row comes from, why it was set aside, and its cells.

use crate::failure::{Code, Failure};
use crate::plugin::Column;
use arrow_array::types::{ByteArrayType, ByteViewType, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, GenericByteArray, GenericByteViewArray, cast::AsArray};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;

/// The inputs before the cells: row, file, failing, reason.
const PLACE_INPUTS: usize = 4;
/// Bytes that a view holds itself instead of referring to a buffer.
const INLINE_BYTES: usize = 12;

/// The input columns, row by row. One that has a single value has it for every row.
pub struct Inputs<'a> {
    rows: usize,
    row: Vec<Option<u64>>,
    file: Vec<Option<&'a [u8]>>,
    failing: Vec<Option<u64>>,
    reason: Vec<Option<&'a [u8]>>,
    cells: Vec<Vec<Option<&'a [u8]>>>,
}

/// Where a row comes from, and why it was set aside.
pub struct Place<'a> {
    /// Its position in the file.
    pub row: u64,
    /// The file.
    pub file: &'a str,
    /// The number of the first column that its value doesn't fit.
    pub failing: usize,
    /// Why not.
    pub reason: &'a str,
}

fn wrong_inputs() -> Failure {
    Failure::new(Code::Specification, "the expression over rejected rows has the wrong input columns")
}

fn at<T: Copy>(cells: &[T], row: usize) -> T {
    if cells.len() == 1 { cells[0] } else { cells[row] }
}

impl<'a> Inputs<'a> {
    /// Reads the inputs of rows of `columns` cells.
    pub fn new(inputs: &'a [Column], columns: usize) -> Result<Inputs<'a>, Failure> {
        if inputs.len() != PLACE_INPUTS + columns {
            return Err(wrong_inputs());
        }
        let (place, cells) = inputs.split_at(PLACE_INPUTS);
        let [row, file, failing, reason] = place else { return Err(wrong_inputs()) };
        let inputs = Inputs {
            rows: 0,
            row: numbers(&row.chunks)?,
            file: bytes(&file.chunks)?,
            failing: numbers(&failing.chunks)?,
            reason: bytes(&reason.chunks)?,
            cells: cells
                .iter()
                .map(|cells| bytes(&cells.chunks).map_err(|failure| failure.with_column(cells.field.name())))
                .collect::<Result<_, _>>()?,
        };
        let lengths = [inputs.row.len(), inputs.file.len(), inputs.failing.len(), inputs.reason.len()];
        let mut lengths = lengths.into_iter().chain(inputs.cells.iter().map(Vec::len)).filter(|&length| length != 1);
        let rows = lengths.next().unwrap_or(1);
        if lengths.any(|length| length != rows) {
            return Err(wrong_inputs());
        }
        Ok(Inputs { rows, ..inputs })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A cell; none if it is null.
    pub fn cell(&self, column: usize, row: usize) -> Option<&'a [u8]> {
        at(&self.cells[column], row)
    }

    /// Where a row comes from.
    pub fn place(&self, row: usize) -> Result<Place<'a>, Failure> {
        let text = |cell: Option<&'a [u8]>| cell.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let read = || {
            Some(Place {
                row: at(&self.row, row)?,
                file: text(at(&self.file, row))?,
                failing: usize::try_from(at(&self.failing, row)?).ok()?,
                reason: text(at(&self.reason, row))?,
            })
        };
        read()
            .ok_or_else(|| Failure::new(Code::Specification, "a rejected row lacks its number, file, column or reason"))
    }
}

fn numbers(chunks: &[ArrayRef]) -> Result<Vec<Option<u64>>, Failure> {
    let mut numbers = Vec::new();
    for chunk in chunks {
        match chunk.data_type() {
            DataType::UInt32 => numbers.extend(chunk.as_primitive::<UInt32Type>().iter().map(|n| n.map(u64::from))),
            DataType::UInt64 => numbers.extend(chunk.as_primitive::<UInt64Type>().iter()),
            _ => return Err(wrong_inputs()),
        }
    }
    Ok(numbers)
}

/// The bytes of strings and binaries. Strings needn't be UTF-8: a row may have been rejected because one isn't.
fn bytes(chunks: &[ArrayRef]) -> Result<Vec<Option<&[u8]>>, Failure> {
    let mut cells = Vec::new();
    for chunk in chunks {
        match chunk.data_type() {
            DataType::Utf8 => offsets(chunk.as_string::<i32>(), &mut cells),
            DataType::LargeUtf8 => offsets(chunk.as_string::<i64>(), &mut cells),
            DataType::Utf8View => views(chunk.as_string_view(), &mut cells),
            DataType::Binary => offsets(chunk.as_binary::<i32>(), &mut cells),
            DataType::LargeBinary => offsets(chunk.as_binary::<i64>(), &mut cells),
            DataType::BinaryView => views(chunk.as_binary_view(), &mut cells),
            DataType::Null => cells.resize(cells.len() + chunk.len(), None),
            _ => {
                return Err(Failure::new(Code::UnsupportedType, "a cell of a rejected row is a string or bytes")
                    .with_hint("serialize the column first"));
            }
        }
    }
    Ok(cells)
}

fn offsets<'a, T: ByteArrayType>(array: &'a GenericByteArray<T>, cells: &mut Vec<Option<&'a [u8]>>) {
    let (offsets, values) = (array.value_offsets(), array.value_data());
    cells.extend(
        (0..array.len())
            .map(|row| array.is_valid(row).then(|| &values[offsets[row].as_usize()..offsets[row + 1].as_usize()])),
    );
}

fn views<'a, T: ByteViewType + ?Sized>(array: &'a GenericByteViewArray<T>, cells: &mut Vec<Option<&'a [u8]>>) {
    let buffers = array.data_buffers();
    cells.extend(array.views().iter().enumerate().map(|(row, view)| {
        let length = *view as u32 as usize;
        array.is_valid(row).then(|| {
            if length <= INLINE_BYTES {
                // SAFETY: the bytes 4..16 of a view hold an inline value; the view lives as long as the array does.
                unsafe { std::slice::from_raw_parts(std::ptr::from_ref(view).cast::<u8>().add(4), length) }
            } else {
                let (buffer, start) = ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
                &buffers[buffer][start..start + length]
            }
        })
    }));
}
