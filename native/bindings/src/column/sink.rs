//! Where tokens go. Rows arrive out of order, since values are encrypted in batches of one length.

use super::memory::Bytes;
use super::strings::INLINE_BYTES;
use arrow_array::OffsetSizeTrait;
use arrow_buffer::Buffer;
use std::ops::Range;

/// Receives tokens by row. Every row has to be written or cleared, since the memory below may hold what an earlier
/// column left there.
pub trait Sink {
    /// Writes one token.
    fn write(&mut self, row: usize, token: &[u8]);

    /// Writes the value of a sealed token that stood among those of a scheme.
    fn write_opened(&mut self, row: usize, value: &[u8]) {
        self.write(row, value);
    }

    /// Writes a batch of tokens that all have `length` bytes; `produce` fills them, `stride` bytes apart, into the
    /// slice that it is given.
    fn write_batch(&mut self, rows: &[u32], length: usize, stride: usize, produce: impl FnOnce(&mut [u8]));

    /// The same for consecutive rows, in whose values tokens of `length` bytes belong.
    fn write_run(&mut self, rows: Range<usize>, length: usize, stride: usize, produce: impl FnOnce(&mut [u8]));

    /// Empties a row: one that is null or empty, or whose value doesn't fit.
    fn clear(&mut self, row: usize);
}

/// A batch's tokens on their way to a sink that can't take them in place.
#[derive(Default)]
struct Scratch(Vec<u8>);

impl Scratch {
    fn produce(&mut self, size: usize, produce: impl FnOnce(&mut [u8])) -> &[u8] {
        self.0.resize(self.0.len().max(size), 0);
        produce(&mut self.0[..size]);
        &self.0[..size]
    }
}

/// Tokens of the same byte length as the values that they stand for: each goes where its value's offset says.
pub struct InPlace<'a, O: OffsetSizeTrait> {
    offsets: &'a [O],
    values: &'a mut [u8],
    scratch: Scratch,
}

impl<'a, O: OffsetSizeTrait> InPlace<'a, O> {
    /// `values` holds the tokens of the rows that `offsets` covers, from the first offset on.
    pub fn new(offsets: &'a [O], values: &'a mut [u8]) -> Self {
        InPlace { offsets, values, scratch: Scratch::default() }
    }

    #[inline]
    fn place(&self, row: usize) -> Range<usize> {
        let base = self.offsets[0].as_usize();
        self.offsets[row].as_usize() - base..self.offsets[row + 1].as_usize() - base
    }
}

impl<O: OffsetSizeTrait> Sink for InPlace<'_, O> {
    #[inline]
    fn write(&mut self, row: usize, token: &[u8]) {
        let place = self.place(row);
        self.values[place].copy_from_slice(token);
    }

    #[inline]
    fn write_batch(&mut self, rows: &[u32], length: usize, stride: usize, produce: impl FnOnce(&mut [u8])) {
        let mut scratch = std::mem::take(&mut self.scratch);
        for (token, &row) in scratch.produce(rows.len() * stride, produce).chunks_exact(stride).zip(rows) {
            self.write(row as usize, &token[..length]);
        }
        self.scratch = scratch;
    }

    #[inline]
    fn write_run(&mut self, rows: Range<usize>, length: usize, stride: usize, produce: impl FnOnce(&mut [u8])) {
        let start = self.place(rows.start).start;
        let target = &mut self.values[start..start + rows.len() * length];
        if length == stride {
            return produce(target);
        }
        let tokens = self.scratch.produce(rows.len() * stride, produce).chunks_exact(stride);
        for (token, place) in tokens.zip(target.chunks_exact_mut(length)) {
            place.copy_from_slice(&token[..length]);
        }
    }

    fn clear(&mut self, row: usize) {
        let place = self.place(row);
        self.values[place].fill(0);
    }
}

const FIRST_BUFFER: usize = 1 << 16;
/// View offsets are 32-bit signed numbers in Arrow; buffers stay far below.
const LARGEST_BUFFER: usize = 1 << 30;

/// Tokens as string views over buffers of their own.
pub struct ViewSink<'a> {
    views: &'a mut [u128],
    full: Vec<Buffer>,
    current: Bytes,
    size: usize,
    used: usize,
    scratch: Scratch,
}

impl<'a> ViewSink<'a> {
    /// `views` has one for each row.
    pub fn new(views: &'a mut [u128]) -> Self {
        ViewSink { views, full: Vec::new(), current: Bytes::obtain(0), size: 0, used: 0, scratch: Scratch::default() }
    }

    /// Makes room for `count` bytes in the current buffer; `each` bytes are expected for every row of the column.
    #[inline]
    fn reserve(&mut self, count: usize, each: usize) {
        if self.used + count > self.size {
            self.grow(count, each);
        }
    }

    #[cold]
    fn grow(&mut self, count: usize, each: usize) {
        let expected = if self.size == 0 { self.views.len().saturating_mul(each) } else { self.size * 2 };
        let size = expected.clamp(FIRST_BUFFER, LARGEST_BUFFER).max(count);
        let old = std::mem::replace(&mut self.current, Bytes::obtain(size));
        if self.used > 0 {
            self.full.push(old.into_buffer(self.used));
        }
        (self.size, self.used) = (size, 0);
    }

    #[inline]
    fn view(&self, token: &[u8], offset: usize) -> u128 {
        let prefix = u32::from_le_bytes([token[0], token[1], token[2], token[3]]);
        token.len() as u128 | (prefix as u128) << 32 | (self.full.len() as u128) << 64 | (offset as u128) << 96
    }

    /// The buffers that the views refer to.
    pub fn finish(mut self) -> Vec<Buffer> {
        if self.used > 0 {
            self.full.push(self.current.into_buffer(self.used));
        }
        self.full
    }
}

#[inline]
fn inline_view(token: &[u8]) -> u128 {
    let mut view = [0; 16];
    view[0] = token.len() as u8;
    view[4..4 + token.len()].copy_from_slice(token);
    u128::from_le_bytes(view)
}

impl Sink for ViewSink<'_> {
    #[inline]
    fn write(&mut self, row: usize, token: &[u8]) {
        if token.len() <= INLINE_BYTES {
            self.views[row] = inline_view(token);
            return;
        }
        self.reserve(token.len(), token.len());
        let offset = self.used;
        self.current.as_mut_slice()[offset..offset + token.len()].copy_from_slice(token);
        self.used += token.len();
        self.views[row] = self.view(token, offset);
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
        self.views[row] = 0;
    }
}

impl ViewSink<'_> {
    #[inline]
    fn write_rows(
        &mut self,
        rows: impl ExactSizeIterator<Item = usize>,
        length: usize,
        stride: usize,
        produce: impl FnOnce(&mut [u8]),
    ) {
        let size = rows.len() * stride;
        if length == stride && length > INLINE_BYTES {
            self.reserve(size, length);
            let start = self.used;
            let tokens = &mut self.current.as_mut_slice()[start..start + size];
            produce(tokens);
            let high = (self.full.len() as u128) << 64 | length as u128;
            for ((index, token), row) in tokens.chunks_exact(stride).enumerate().zip(rows) {
                let prefix = u32::from_le_bytes([token[0], token[1], token[2], token[3]]);
                self.views[row] = high | (prefix as u128) << 32 | ((start + index * stride) as u128) << 96;
            }
            self.used += size;
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        for (token, row) in scratch.produce(size, produce).chunks_exact(stride).zip(rows) {
            self.write(row, &token[..length]);
        }
        self.scratch = scratch;
    }
}
