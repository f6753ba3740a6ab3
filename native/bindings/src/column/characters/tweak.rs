//! FF1's tweak: what the token contract builds from kept parts and a tweak column, or raw bytes as given.

use arrow_array::{Array, ArrayRef, GenericBinaryArray, GenericStringArray, OffsetSizeTrait, cast::AsArray};
use arrow_schema::DataType;

/// Where a value's tweak comes from.
pub enum TweakRule {
    /// From the kept parts, and from the tweak column if there is one, as the token contract says.
    Contract {
        /// Whether a tweak column comes with the values.
        has_column: bool,
    },
    /// The same bytes for every value.
    Raw(Vec<u8>),
    /// The tweak column's bytes and nothing else.
    RawColumn,
}

impl TweakRule {
    /// The tweak that all values share, if they do.
    pub fn shared(&self, keeps_any: bool) -> Option<&[u8]> {
        match self {
            TweakRule::Contract { has_column: false } if !keeps_any => Some(&[]),
            TweakRule::Raw(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// A tweak for each row of a column, or one for all rows.
pub struct TweakColumn<'a> {
    cells: Vec<Option<&'a [u8]>>,
}

impl<'a> TweakColumn<'a> {
    /// Reads string and binary columns; `None` if the type is another or the array isn't sound.
    pub fn new(chunks: &'a [ArrayRef]) -> Option<TweakColumn<'a>> {
        let mut cells = Vec::with_capacity(chunks.iter().map(|chunk| chunk.len()).sum());
        for chunk in chunks {
            // The readers below trust the array.
            chunk.to_data().validate_full().ok()?;
            match chunk.data_type() {
                DataType::Utf8 => strings::<i32>(chunk.as_string(), &mut cells),
                DataType::LargeUtf8 => strings::<i64>(chunk.as_string(), &mut cells),
                DataType::Utf8View => cells.extend(chunk.as_string_view().iter().map(|cell| cell.map(str::as_bytes))),
                DataType::Binary => binaries::<i32>(chunk.as_binary(), &mut cells),
                DataType::LargeBinary => binaries::<i64>(chunk.as_binary(), &mut cells),
                DataType::BinaryView => cells.extend(chunk.as_binary_view().iter()),
                DataType::Null => cells.resize(cells.len() + chunk.len(), None),
                _ => return None,
            }
        }
        Some(TweakColumn { cells })
    }

    /// How many tweaks there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// The tweaks of `length` rows from `start` on; a single tweak serves all rows.
    pub fn slice(&self, start: usize, length: usize) -> TweakColumn<'a> {
        let cells = if self.cells.len() == 1 { self.cells.clone() } else { self.cells[start..start + length].to_vec() };
        TweakColumn { cells }
    }

    /// The tweak of a row, `None` if it is null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a [u8]> {
        if self.cells.len() == 1 { self.cells[0] } else { self.cells[row] }
    }
}

fn strings<'a, O: OffsetSizeTrait>(array: &'a GenericStringArray<O>, cells: &mut Vec<Option<&'a [u8]>>) {
    cells.extend(array.iter().map(|cell| cell.map(str::as_bytes)));
}

fn binaries<'a, O: OffsetSizeTrait>(array: &'a GenericBinaryArray<O>, cells: &mut Vec<Option<&'a [u8]>>) {
    cells.extend(array.iter());
}

/// K for digit schemes: `u8(first << 4 | last)`, then the kept digits two to a byte, the last low half 0xF if odd.
pub fn digits(first: &[u8], last: &[u8], tweak: &mut Vec<u8>) {
    tweak.push((first.len() << 4 | last.len()) as u8);
    let kept = first.iter().chain(last);
    let mut high = None;
    for &digit in kept {
        match high.take() {
            None => high = Some(digit << 4),
            Some(half) => tweak.push(half | digit),
        }
    }
    tweak.extend(high.map(|half| half | 0x0F));
}

/// K for other schemes: the number of parts (always two), then each as `u16be` length and UTF-8.
pub fn parts(first: &str, last: &str, tweak: &mut Vec<u8>) {
    tweak.push(2);
    for part in [first, last] {
        // At most 15 characters are kept, so a part has at most 60 bytes.
        tweak.extend((part.len() as u16).to_be_bytes());
        tweak.extend(part.as_bytes());
    }
}
