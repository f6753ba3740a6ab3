//! PostgreSQL's COPY BINARY (its manual, "COPY", "Binary Format"), of the audit log's tables.

use super::columns::Columns;
use super::{Cells, RECORD_COLUMNS};
use crate::failure::{Code, Failure};
use arrow_array::{Array, LargeBinaryArray};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
const HEADER_BYTES: usize = 19;
/// Microseconds from 1970 to 2000, from where PostgreSQL counts.
const EPOCH: i64 = 946_684_800_000_000;

/// Writes records as the rows of a whole COPY.
pub fn write(batch: i64, position: i64, records: &Columns<'_>, hashes: &LargeBinaryArray) -> Result<Vec<u8>, Failure> {
    let refused = || Failure::new(Code::UnsupportedType, "an audit record is too large, or lacks its hash");
    if hashes.len() != records.len() || hashes.null_count() > 0 {
        return Err(refused());
    }
    let mut out = Vec::with_capacity(HEADER_BYTES + 2 + records.len() * 320);
    out.extend(SIGNATURE);
    out.extend([0; HEADER_BYTES - SIGNATURE.len()]);
    for (row, position) in (0..records.len()).zip(position..) {
        let record = records.record(row);
        out.extend((RECORD_COLUMNS as i16).to_be_bytes());
        let mut cell = |bytes: Option<&[u8]>| {
            let length = bytes.map_or(Ok(-1), |bytes| i32::try_from(bytes.len())).map_err(|_| refused())?;
            out.extend(length.to_be_bytes());
            out.extend(bytes.unwrap_or_default());
            Ok(())
        };
        let moment = record.at.checked_sub(EPOCH).ok_or_else(refused)?;
        for number in [batch, position, moment] {
            cell(Some(&number.to_be_bytes()))?;
        }
        for text in [record.actor, record.action, record.outcome] {
            cell(Some(text))?;
        }
        for text in [record.object, record.run, record.key] {
            cell(text)?;
        }
        for number in [record.key_id, record.count] {
            cell(number.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice))?;
        }
        for bytes in [record.reason, record.token_hash, record.detail, Some(hashes.value(row))] {
            cell(bytes)?;
        }
    }
    out.extend((-1i16).to_be_bytes());
    Ok(out)
}

/// One row, as it was copied.
pub struct Row<'a, const N: usize>([Option<&'a [u8]>; N]);

impl<'a, const N: usize> Cells<'a> for Row<'a, N> {
    fn number(&self, column: usize) -> Option<i64> {
        self.0[column]?.try_into().ok().map(i64::from_be_bytes)
    }

    fn moment(&self, column: usize) -> Option<i64> {
        self.number(column)?.checked_add(EPOCH)
    }

    fn bytes(&self, column: usize) -> Option<&'a [u8]> {
        self.0[column]
    }

    fn is_null(&self, column: usize) -> bool {
        self.0[column].is_none()
    }
}

/// Reads whole rows, with or without the header and the trailer of their COPY.
pub struct Rows<'a, const N: usize> {
    rest: &'a [u8],
}

impl<'a, const N: usize> Rows<'a, N> {
    /// Begins.
    pub fn new(data: &'a [u8]) -> Self {
        let rest = match data.strip_prefix(SIGNATURE) {
            Some(_) => data.get(HEADER_BYTES..).unwrap_or_default(),
            None => data,
        };
        Rows { rest }
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }

    fn read(&mut self) -> Option<Row<'a, N>> {
        let mut cells = [None; N];
        for cell in &mut cells {
            let length = i32::from_be_bytes(self.take(4)?.try_into().ok()?);
            *cell = match length {
                -1 => None,
                _ => Some(self.take(usize::try_from(length).ok()?)?),
            };
        }
        Some(Row(cells))
    }

    /// The next row; None at the end.
    pub fn next_row(&mut self) -> Result<Option<Row<'a, N>>, Failure> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let broken = || Failure::new(Code::NativeDefect, "the database's copy of the audit log can't be read");
        let columns = self.take(2).and_then(|bytes| bytes.try_into().ok()).map(i16::from_be_bytes);
        match columns {
            Some(-1) if self.rest.is_empty() => Ok(None),
            Some(columns) if usize::try_from(columns) == Ok(N) => self.read().map(Some).ok_or_else(broken),
            _ => Err(broken()),
        }
    }
}
