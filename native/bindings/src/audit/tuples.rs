//! Rows as SQLite's driver gives them: numbers, and everything else as bytes.

use super::Cells;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyTuple};

/// One row.
pub struct Row<'a>(Vec<Cell<'a>>);

enum Cell<'a> {
    Null,
    Number(i64),
    Bytes(&'a [u8]),
    Other,
}

impl<'a> Row<'a> {
    /// Looks at the cells of a tuple; those that it lacks are of no type.
    pub fn of(tuple: &'a Bound<'_, PyTuple>, columns: usize) -> Row<'a> {
        let cell = |index| {
            let Ok(item) = tuple.get_borrowed_item(index) else { return Cell::Other };
            if item.is_none() {
                return Cell::Null;
            }
            if let Ok(bytes) = item.cast::<PyBytes>() {
                // SAFETY: bytes don't change, and the tuple, which is borrowed for 'a, keeps them alive.
                let bytes = unsafe { std::slice::from_raw_parts(bytes.as_bytes().as_ptr(), bytes.as_bytes().len()) };
                return Cell::Bytes(bytes);
            }
            if item.is_exact_instance_of::<PyInt>() {
                return item.extract().map_or(Cell::Other, Cell::Number);
            }
            Cell::Other
        };
        Row((0..columns).map(cell).collect())
    }
}

impl<'a> Cells<'a> for Row<'a> {
    fn number(&self, column: usize) -> Option<i64> {
        match self.0[column] {
            Cell::Number(number) => Some(number),
            _ => None,
        }
    }

    fn moment(&self, column: usize) -> Option<i64> {
        self.bytes(column).and_then(moment)
    }

    fn bytes(&self, column: usize) -> Option<&'a [u8]> {
        match self.0[column] {
            Cell::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn is_null(&self, column: usize) -> bool {
        matches!(self.0[column], Cell::Null)
    }
}

/// A moment as `YYYY-MM-DD hh:mm:ss.ffffff`, and in no other writing, in microseconds since 1970.
fn moment(text: &[u8]) -> Option<i64> {
    const FORM: &[u8; 26] = b"0000-00-00 00:00:00.000000";
    let fits = |(form, byte): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { form == byte };
    if text.len() != FORM.len() || !FORM.iter().zip(text).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].iter().fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'));
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year == 0 || !(1..=longest).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970 by years that begin in March, so that the leap day is their last (Hinnant, "chrono-compatible
    // low-level date algorithms", days_from_civil).
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + number(20, 26))
}
