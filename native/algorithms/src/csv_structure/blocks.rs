//! 64 bytes at a time, as bit masks.

use super::finder::Find;
use super::{Dialect, LONGEST_RECORD};

/// Bytes in a block: one for each bit of a mask.
pub const BLOCK_BYTES: usize = 64;

/// What one block leaves for the next, and one piece of a file for the next.
pub struct Carry {
    /// Complete records so far.
    pub records: u64,
    /// Delimiters in each record; known after the first.
    delimiters: Option<u64>,
    /// Delimiters so far in the record that isn't complete.
    pending: u64,
    /// Line feeds so far, those inside quotes included.
    newlines: u64,
    /// Line feeds before the record that isn't complete.
    newlines_before: u64,
    /// Where that record starts in this piece.
    start: usize,
    /// Whether the last byte was inside quotes, counting an opening quote but not a closing one.
    inside: bool,
    /// Whether the last byte was one that a quoted field may follow: a delimiter, a line end, or (doubled) a quote.
    opens: bool,
    /// Whether the last byte was a closing quote.
    closed: bool,
    /// Whether the last byte was a carriage return outside quotes.
    returned: bool,
}

impl Carry {
    /// At the start of a file.
    pub fn new() -> Carry {
        Carry {
            records: 0,
            delimiters: None,
            pending: 0,
            newlines: 0,
            newlines_before: 0,
            start: 0,
            inside: false,
            opens: true,
            closed: false,
            returned: false,
        }
    }

    /// Fields in each record, once the first is complete.
    pub fn fields(&self) -> Option<u64> {
        self.delimiters.map(|delimiters| delimiters + 1)
    }

    /// Line feeds before the record that isn't complete.
    pub fn lines_before_record(&self) -> u64 {
        self.newlines_before
    }

    /// Where the record that isn't complete starts in this piece.
    pub fn record_start(&self) -> usize {
        self.start
    }

    /// Begins another piece, which starts where that record does.
    pub fn restart(&mut self) {
        self.start = 0;
    }

    /// Counts a last record without a line end.
    pub fn finish(&mut self, fields: u64) {
        self.delimiters = Some(fields - 1);
        self.records += 1;
        self.pending = 0;
    }
}

/// The bit `index` of a mask.
#[inline(always)]
fn bit(mask: u64, index: u32) -> bool {
    mask >> index & 1 != 0
}

/// For each bit, the parity of the bits up to it.
#[inline(always)]
fn prefix_xor(mut mask: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        mask ^= mask << shift;
    }
    mask
}

/// Looks at the bytes behind `scanned`. False if one of the records behind `carry.start` is malformed; `carry` then holds
/// what it did before the block that shows it.
#[inline(always)]
pub fn scan<F: Find>(
    finder: F,
    dialect: Dialect,
    fields: Option<u64>,
    carry: &mut Carry,
    data: &[u8],
    scanned: usize,
) -> bool {
    let (blocks, rest) = data[scanned..].as_chunks::<BLOCK_BYTES>();
    let mut offset = scanned;
    for block in blocks {
        if !look(finder, dialect, fields, carry, block, BLOCK_BYTES as u32, offset) {
            return false;
        }
        offset += BLOCK_BYTES;
    }
    if rest.is_empty() {
        return true;
    }
    let mut block = [0; BLOCK_BYTES];
    block[..rest.len()].copy_from_slice(rest);
    look(finder, dialect, fields, carry, &block, rest.len() as u32, offset)
}

#[inline(always)]
fn look<F: Find>(
    finder: F,
    dialect: Dialect,
    fields: Option<u64>,
    carry: &mut Carry,
    block: &[u8; BLOCK_BYTES],
    length: u32,
    offset: usize,
) -> bool {
    let (valid, last) = (u64::MAX >> (BLOCK_BYTES as u32 - length), length - 1);
    let quotes = dialect.quote.map_or(0, |quote| finder.find(block, quote) & valid);
    let newlines = finder.find(block, b'\n') & valid;
    let mut delimiters = finder.find(block, dialect.delimiter) & valid;
    let mut returns = finder.find(block, b'\r') & valid;
    let mut ends = newlines;

    if quotes != 0 || carry.inside || carry.closed {
        let inside = prefix_xor(quotes) ^ if carry.inside { u64::MAX } else { 0 };
        let (opening, closing) = (quotes & inside, quotes & !inside);
        delimiters &= !inside;
        returns &= !inside;
        ends &= !inside;
        let opens = delimiters | ends | closing;
        let stray = opening & !(opens << 1 | u64::from(carry.opens));
        let behind = closing << 1 | u64::from(carry.closed);
        if stray | behind & valid & !(delimiters | ends | returns | opening) != 0 {
            return false;
        }
        if !follow(fields, carry, Marks { delimiters, returns, ends, newlines, valid }, offset) {
            return false;
        }
        carry.inside = bit(inside, last);
        carry.opens = bit(opens, last);
        carry.closed = bit(closing, last);
    } else {
        if !follow(fields, carry, Marks { delimiters, returns, ends, newlines, valid }, offset) {
            return false;
        }
        carry.opens = bit(delimiters | ends, last);
    }
    carry.returned = bit(returns, last);
    true
}

/// Where the bytes stand in a block that mean something; those inside quotes left out, except for line feeds.
struct Marks {
    delimiters: u64,
    returns: u64,
    ends: u64,
    newlines: u64,
    valid: u64,
}

/// Checks carriage returns, and the number of fields of the records that end in a block.
#[inline(always)]
fn follow(fields: Option<u64>, carry: &mut Carry, marks: Marks, offset: usize) -> bool {
    let Marks { mut delimiters, returns, ends, newlines, valid } = marks;
    let returned = returns << 1 | u64::from(carry.returned);
    if returned & valid & !ends != 0 {
        return false;
    }
    let before = carry.newlines;
    let mut pending = carry.pending;
    if ends != 0 {
        if offset + ends.trailing_zeros() as usize >= carry.start + LONGEST_RECORD {
            return false;
        }
        let mut left = ends;
        let mut expected = carry.delimiters;
        while left != 0 {
            let below = (left & left.wrapping_neg()) - 1;
            pending += u64::from((delimiters & below).count_ones());
            if expected != Some(pending) {
                // Only the first record gets here and is sound.
                let length = offset + left.trailing_zeros() as usize - carry.start;
                let blank = length == usize::from(returned & left & left.wrapping_neg() != 0);
                if expected.is_some() || fields.is_some_and(|fields| fields != pending + 1) || blank {
                    return false;
                }
                expected = Some(pending);
            }
            pending = 0;
            delimiters &= !below;
            left &= left - 1;
        }
        carry.delimiters = expected;
        carry.records += u64::from(ends.count_ones());
        let last = 63 - ends.leading_zeros();
        carry.start = offset + last as usize + 1;
        carry.newlines_before = before + u64::from((newlines & (u64::MAX >> (63 - last))).count_ones());
    }
    carry.pending = pending + u64::from(delimiters.count_ones());
    carry.newlines = before + u64::from(newlines.count_ones());
    true
}
