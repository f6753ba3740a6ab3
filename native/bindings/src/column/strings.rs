//! String arrays of the three Arrow layouts, read alike.

use arrow_array::{Array, GenericStringArray, OffsetSizeTrait, StringViewArray};
use arrow_buffer::NullBuffer;
use std::ops::Range;

/// A column of strings as bytes.
pub trait Strings: Sync {
    /// The bytes of a row; what a null row holds is not defined.
    fn bytes(&self, row: usize) -> &[u8];

    /// Whether a row is null.
    fn is_null(&self, row: usize) -> bool;

    /// Whether a row is null or the empty string, which stay what they are.
    #[inline]
    fn is_empty(&self, row: usize) -> bool {
        self.is_null(row) || self.bytes(row).is_empty()
    }

    /// Whether no row of the range is null and each holds `length` bytes.
    fn is_uniform(&self, rows: Range<usize>, length: usize) -> bool;

    /// The bytes of a uniform range, if they stand one after the other in memory.
    fn contiguous(&self, rows: Range<usize>, length: usize) -> Option<&[u8]>;
}

/// `string` (32-bit offsets) and `large_string` (64-bit offsets).
pub struct Offsets<'a, O: OffsetSizeTrait> {
    offsets: &'a [O],
    values: &'a [u8],
    nulls: Option<&'a NullBuffer>,
}

impl<'a, O: OffsetSizeTrait> Offsets<'a, O> {
    /// Reads an array, sliced or not.
    pub fn new(array: &'a GenericStringArray<O>) -> Self {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        Offsets { offsets: array.value_offsets(), values: array.value_data(), nulls }
    }

    /// Where each row starts in the values, and where the last one ends.
    pub fn offsets(&self) -> &'a [O] {
        self.offsets
    }

    /// Bytes of all values together.
    pub fn size(&self) -> usize {
        self.offsets[self.offsets.len() - 1].as_usize() - self.offsets[0].as_usize()
    }
}

impl<O: OffsetSizeTrait> Strings for Offsets<'_, O> {
    #[inline]
    fn bytes(&self, row: usize) -> &[u8] {
        &self.values[self.offsets[row].as_usize()..self.offsets[row + 1].as_usize()]
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    #[inline]
    fn is_uniform(&self, rows: Range<usize>, length: usize) -> bool {
        let Some(each) = O::from_usize(length) else { return false };
        let offsets = &self.offsets[rows.start..=rows.end];
        // Compared without a branch, so that the loop is vectorised.
        let pairs = offsets.iter().zip(&offsets[1..]);
        let differs = pairs.fold(false, |differs, (&start, &end)| differs | (end - start != each));
        !differs && !any_null(self.nulls, rows)
    }

    #[inline]
    fn contiguous(&self, rows: Range<usize>, _: usize) -> Option<&[u8]> {
        self.values.get(self.offsets[rows.start].as_usize()..self.offsets[rows.end].as_usize())
    }
}

#[inline]
fn any_null(nulls: Option<&NullBuffer>, rows: Range<usize>) -> bool {
    nulls.is_some_and(|nulls| nulls.slice(rows.start, rows.len()).null_count() > 0)
}

/// `string_view`.
pub struct Views<'a> {
    views: &'a [u128],
    buffers: Vec<&'a [u8]>,
    nulls: Option<&'a NullBuffer>,
}

/// Bytes that a view holds itself instead of referring to a buffer.
pub const INLINE_BYTES: usize = 12;

impl<'a> Views<'a> {
    /// Reads an array, sliced or not.
    pub fn new(array: &'a StringViewArray) -> Self {
        Views {
            views: array.views(),
            buffers: array.data_buffers().iter().map(|buffer| buffer.as_slice()).collect(),
            nulls: array.nulls().filter(|nulls| nulls.null_count() > 0),
        }
    }
}

impl Strings for Views<'_> {
    #[inline]
    fn bytes(&self, row: usize) -> &[u8] {
        let view = &self.views[row];
        let length = *view as u32 as usize;
        if length <= INLINE_BYTES {
            // SAFETY: the bytes 4..16 of a view hold an inline value; `view` lives as long as self does.
            unsafe { std::slice::from_raw_parts(std::ptr::from_ref(view).cast::<u8>().add(4), length) }
        } else {
            let (buffer, offset) = ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
            &self.buffers[buffer][offset..offset + length]
        }
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    #[inline]
    fn is_uniform(&self, rows: Range<usize>, length: usize) -> bool {
        let views = &self.views[rows.clone()];
        let differs = views.iter().fold(0, |differs, &view| differs | (view as u32 ^ length as u32));
        differs == 0 && !any_null(self.nulls, rows)
    }

    #[inline]
    fn contiguous(&self, _: Range<usize>, _: usize) -> Option<&[u8]> {
        // Parquet readers leave the lengths between the values, so a search for runs costs more than it finds.
        None
    }
}
