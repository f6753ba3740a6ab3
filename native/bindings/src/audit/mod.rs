//! Rows of the audit log: from Arrow, to and from PostgreSQL's COPY BINARY, and out of Python's tuples.

pub mod columns;
pub mod copy;
pub mod tuples;

use tokenkit_algorithms::audit_chain::{Batch, BatchRow, Record, RecordRow};

/// Columns of a batch's row, in the order in which they are read.
pub const BATCH_COLUMNS: usize = 11;
/// Columns of a record's row.
pub const RECORD_COLUMNS: usize = 15;

/// A row's cells, whatever they come from. None is null, or a cell of another type than the column has.
pub trait Cells<'a> {
    /// A whole number.
    fn number(&self, column: usize) -> Option<i64>;
    /// A moment, in microseconds since 1970.
    fn moment(&self, column: usize) -> Option<i64>;
    /// Bytes, or a text's UTF-8.
    fn bytes(&self, column: usize) -> Option<&'a [u8]>;
    /// Whether the cell is null.
    fn is_null(&self, column: usize) -> bool;
}

/// Reads a record's row; what can't be read is what nobody wrote.
pub fn record<'a>(cells: &impl Cells<'a>) -> RecordRow<'a> {
    RecordRow {
        batch: cells.number(0).unwrap_or(i64::MIN),
        position: cells.number(1).unwrap_or(i64::MIN),
        record: fields(cells),
        hash: array(cells.bytes(14)),
    }
}

fn fields<'a>(cells: &impl Cells<'a>) -> Option<Record<'a>> {
    let text = |column| match cells.bytes(column) {
        None if !cells.is_null(column) => None,
        found => Some(found),
    };
    let number = |column| match cells.number(column) {
        None if !cells.is_null(column) => None,
        found => Some(found),
    };
    Some(Record {
        at: cells.moment(2)?,
        actor: cells.bytes(3)?,
        action: cells.bytes(4)?,
        outcome: cells.bytes(5)?,
        object: text(6)?,
        run: text(7)?,
        key: text(8)?,
        key_id: number(9)?,
        count: number(10)?,
        reason: text(11)?,
        token_hash: text(12)?,
        detail: text(13)?,
    })
}

/// Reads a batch's row. What can't be read becomes zeros, under which no link holds.
pub fn batch<'a>(cells: &impl Cells<'a>) -> BatchRow {
    BatchRow {
        batch: Batch {
            number: cells.number(0).unwrap_or(i64::MIN),
            id: array(cells.bytes(1)).unwrap_or_default(),
            written: cells.moment(2).unwrap_or_default(),
            first_at: cells.moment(3).unwrap_or_default(),
            last_at: cells.moment(4).unwrap_or_default(),
            count: cells.number(5).unwrap_or_default(),
            last_hash: array(cells.bytes(6)).unwrap_or_default(),
            key: cells.bytes(8).unwrap_or_default().to_vec(),
            key_id: cells.number(9).unwrap_or_default(),
            check_value: array(cells.bytes(10)).unwrap_or_default(),
        },
        link: array(cells.bytes(7)).unwrap_or_default(),
    }
}

fn array<const N: usize>(bytes: Option<&[u8]>) -> Option<[u8; N]> {
    bytes?.try_into().ok()
}
