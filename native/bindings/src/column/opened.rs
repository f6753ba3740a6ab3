//! The values of a few thousand tokens: a sink that is read as a column again, and wiped.

use super::sink::Sink;
use super::strings::Strings;
use std::ops::Range;
use zeroize::Zeroizing;

const FIRST_SIZE: usize = 1 << 16;

/// Opened values, one a row. Their memory is overwritten when it's given up.
#[derive(Default)]
pub struct Opened {
    /// Where each row's value starts, and its length.
    places: Vec<(u32, u32)>,
    bytes: Zeroizing<Vec<u8>>,
    used: usize,
    /// Rows whose values were sealed, since they don't fit the scheme.
    sealed: Vec<bool>,
}

impl Opened {
    /// Makes room for other rows; all are empty at first.
    pub fn reset(&mut self, rows: usize) {
        self.places.clear();
        self.places.resize(rows, (0, 0));
        self.sealed.clear();
        self.used = 0;
    }

    /// Whether a row's value doesn't fit the scheme.
    pub fn is_sealed(&self, row: usize) -> bool {
        self.sealed.get(row).copied().unwrap_or_default()
    }

    /// The rows whose values don't fit the scheme.
    pub fn sealed_rows(&self) -> impl Iterator<Item = usize> {
        self.sealed.iter().enumerate().filter(|&(_, &sealed)| sealed).map(|(row, _)| row)
    }

    #[inline]
    fn reserve(&mut self, size: usize) -> usize {
        let start = self.used;
        if start + size > self.bytes.len() {
            self.grow(start + size);
        }
        self.used += size;
        start
    }

    #[cold]
    fn grow(&mut self, size: usize) {
        // Not resized: that would leave a copy of the values behind.
        let mut larger = Zeroizing::new(vec![0; size.max(2 * self.bytes.len()).max(FIRST_SIZE)]);
        larger[..self.used].copy_from_slice(&self.bytes[..self.used]);
        self.bytes = larger;
    }

    #[inline]
    fn write_rows(
        &mut self,
        rows: impl ExactSizeIterator<Item = usize>,
        length: usize,
        stride: usize,
        produce: impl FnOnce(&mut [u8]),
    ) {
        let size = rows.len() * stride;
        let start = self.reserve(size);
        produce(&mut self.bytes[start..start + size]);
        for (index, row) in rows.enumerate() {
            self.places[row] = ((start + index * stride) as u32, length as u32);
        }
    }
}

impl Sink for Opened {
    #[inline]
    fn write(&mut self, row: usize, value: &[u8]) {
        let start = self.reserve(value.len());
        self.bytes[start..start + value.len()].copy_from_slice(value);
        self.places[row] = (start as u32, value.len() as u32);
    }

    fn write_opened(&mut self, row: usize, value: &[u8]) {
        self.write(row, value);
        self.sealed.resize(self.places.len(), false);
        self.sealed[row] = true;
    }

    #[inline]
    fn write_batch(&mut self, rows: &[u32], length: usize, stride: usize, produce: impl FnOnce(&mut [u8])) {
        self.write_rows(rows.iter().map(|&row| row as usize), length, stride, produce);
    }

    #[inline]
    fn write_run(&mut self, rows: Range<usize>, length: usize, stride: usize, produce: impl FnOnce(&mut [u8])) {
        self.write_rows(rows, length, stride, produce);
    }

    fn clear(&mut self, row: usize) {
        self.places[row] = (0, 0);
    }
}

/// As a column, values that were sealed are null: no scheme is to take them.
impl Strings for Opened {
    #[inline]
    fn bytes(&self, row: usize) -> &[u8] {
        let (start, length) = self.places[row];
        &self.bytes[start as usize..][..length as usize]
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.is_sealed(row)
    }

    #[inline]
    fn is_uniform(&self, rows: Range<usize>, length: usize) -> bool {
        // An empty row is no run, so that nulls need no look.
        let differs = self.places[rows].iter().fold(0, |differs, place| differs | (place.1 ^ length as u32));
        differs == 0 && length > 0 && self.sealed.is_empty()
    }

    #[inline]
    fn contiguous(&self, rows: Range<usize>, length: usize) -> Option<&[u8]> {
        let places = &self.places[rows];
        let start = places.first()?.0;
        let gaps = places
            .iter()
            .zip(0_u32..)
            .fold(0, |gaps, (place, index)| gaps | (place.0.wrapping_sub(start) ^ index.wrapping_mul(length as u32)));
        if gaps == 0 { self.bytes.get(start as usize..start as usize + places.len() * length) } else { None }
    }
}

/// A part of a column, counted from zero.
pub struct Part<'a, C> {
    column: &'a C,
    start: usize,
}

impl<'a, C: Strings> Part<'a, C> {
    /// The rows from `start` on.
    pub fn new(column: &'a C, start: usize) -> Self {
        Part { column, start }
    }
}

impl<C: Strings> Strings for Part<'_, C> {
    #[inline]
    fn bytes(&self, row: usize) -> &[u8] {
        self.column.bytes(self.start + row)
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.column.is_null(self.start + row)
    }

    #[inline]
    fn is_uniform(&self, rows: Range<usize>, length: usize) -> bool {
        self.column.is_uniform(self.start + rows.start..self.start + rows.end, length)
    }

    #[inline]
    fn contiguous(&self, rows: Range<usize>, length: usize) -> Option<&[u8]> {
        self.column.contiguous(self.start + rows.start..self.start + rows.end, length)
    }
}

/// A sink of a whole column for a part of it, whose rows count from zero.
pub struct PartSink<'a, S> {
    sink: &'a mut S,
    start: usize,
    rows: Vec<u32>,
}

impl<'a, S: Sink> PartSink<'a, S> {
    /// For the rows from `start` on.
    pub fn new(sink: &'a mut S, start: usize) -> Self {
        PartSink { sink, start, rows: Vec::new() }
    }
}

impl<S: Sink> Sink for PartSink<'_, S> {
    #[inline]
    fn write(&mut self, row: usize, token: &[u8]) {
        self.sink.write(self.start + row, token);
    }

    #[inline]
    fn write_batch(&mut self, rows: &[u32], length: usize, stride: usize, produce: impl FnOnce(&mut [u8])) {
        self.rows.clear();
        self.rows.extend(rows.iter().map(|&row| row + self.start as u32));
        self.sink.write_batch(&self.rows, length, stride, produce);
    }

    #[inline]
    fn write_run(&mut self, rows: Range<usize>, length: usize, stride: usize, produce: impl FnOnce(&mut [u8])) {
        self.sink.write_run(self.start + rows.start..self.start + rows.end, length, stride, produce);
    }

    fn clear(&mut self, row: usize) {
        self.sink.clear(self.start + row);
    }
}
