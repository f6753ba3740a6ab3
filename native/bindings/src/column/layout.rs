//! One chunk of strings: its output is allocated once, and threads fill their parts of it.

use super::characters::TweakColumn;
use super::invalid::Invalid;
use super::memory::Bytes;
use super::sink::{InPlace, ViewSink};
use super::strings::{INLINE_BYTES, Offsets, Strings, Views};
use super::{Sink, threads};
use crate::failure::{Code, Failure};
use arrow_array::{Array, ArrayRef, GenericStringArray, OffsetSizeTrait, StringViewArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use std::sync::Arc;

type Turned = Result<(ArrayRef, Invalid), Failure>;

/// What turns the rows of a chunk, part by part.
pub trait Turn: Sync {
    /// The most threads to use.
    fn threads(&self) -> usize;

    /// Whether every token has as many bytes as what it's made of.
    fn keeps_byte_length(&self) -> bool;

    /// Turns the rows from `start` on into a sink of their own, which counts from zero as the columns do; `raw` is
    /// the column before it was normalized.
    fn turn_rows<C: Strings, S: Sink>(
        &self,
        start: usize,
        column: &C,
        raw: &C,
        rows: usize,
        tweaks: Option<&TweakColumn<'_>>,
        sink: &mut S,
    ) -> Result<Invalid, Failure>;
}

/// Views over fresh buffers, and what didn't fit.
struct Written {
    views: Bytes,
    buffers: Vec<Buffer>,
    invalid: Invalid,
}

/// Views, to be filled part by part.
fn view_slice(views: &mut Bytes) -> &mut [u128] {
    let (_, words, _) = {
        // SAFETY: every bit pattern is a u128, and `Bytes` is aligned for it, so that the middle part is all of it.
        unsafe { views.as_mut_slice().align_to_mut::<u128>() }
    };
    words
}

fn write_views<A, F>(most: usize, array: &A, tweaks: Option<&TweakColumn<'_>>, run: F) -> Result<Written, Failure>
where
    A: Array + Sync,
    F: Fn(usize, usize, Option<&TweakColumn<'_>>, &mut ViewSink<'_>) -> Result<Invalid, Failure> + Sync,
{
    let rows = array.len();
    let mut views = Bytes::obtain(rows * size_of::<u128>());
    let ranges = threads::parts(rows, most);
    let slices = threads::split(view_slice(&mut views), ranges.iter().map(|range| range.len()));
    let parts: Vec<_> = ranges.into_iter().zip(slices).collect();
    let done = threads::run(parts, |(range, slice)| {
        let part_tweaks = tweaks.map(|tweaks| tweaks.slice(range.start, range.len()));
        let mut sink = ViewSink::new(slice);
        let invalid = run(range.start, range.len(), part_tweaks.as_ref(), &mut sink)?;
        Ok((range, sink.finish(), invalid))
    })?;
    let (mut buffers, mut parts) = (Vec::new(), Vec::new());
    for (range, part_buffers, invalid) in done {
        if !buffers.is_empty() {
            // Each part counted its buffers from zero.
            let shift = (buffers.len() as u128) << 64;
            for view in &mut view_slice(&mut views)[range] {
                if *view as u32 as usize > INLINE_BYTES {
                    *view += shift;
                }
            }
        }
        buffers.extend(part_buffers);
        parts.push(invalid);
    }
    Ok(Written { views, buffers, invalid: Invalid::concatenate(parts) })
}

/// `string_view` in and out; `raw` holds the values before they were normalized.
pub fn views<T: Turn>(
    turn: &T,
    array: &StringViewArray,
    raw: &StringViewArray,
    tweaks: Option<&TweakColumn<'_>>,
) -> Turned {
    let written = write_views(turn.threads(), array, tweaks, |start, length, tweaks, sink| {
        let (part, raw) = (array.slice(start, length), raw.slice(start, length));
        turn.turn_rows(start, &Views::new(&part), &Views::new(&raw), length, tweaks, sink)
    })?;
    let validity = written.invalid.validity(array.nulls());
    let views = ScalarBuffer::new(written.views.into_buffer(usize::MAX), 0, array.len());
    // SAFETY: the sink wrote each view over whole characters in its own buffers; other rows hold the empty view.
    let tokens = unsafe { StringViewArray::new_unchecked(views, written.buffers.into(), validity) };
    Ok((Arc::new(tokens), written.invalid))
}

/// `string` or `large_string` in and out; `raw` holds the values before they were normalized.
pub fn offsets<O: OffsetSizeTrait, T: Turn>(
    turn: &T,
    array: &GenericStringArray<O>,
    raw: &GenericStringArray<O>,
    tweaks: Option<&TweakColumn<'_>>,
) -> Turned {
    if turn.keeps_byte_length() { in_place(turn, array, tweaks) } else { gathered(turn, array, raw, tweaks) }
}

/// Tokens as long as their values: the offsets stay, and every token goes where its value was.
fn in_place<O: OffsetSizeTrait, T: Turn>(
    turn: &T,
    array: &GenericStringArray<O>,
    tweaks: Option<&TweakColumn<'_>>,
) -> Turned {
    let all = array.value_offsets();
    let (first, last) = (all[0].as_usize(), all[array.len()].as_usize());
    let mut values = Bytes::obtain(last - first);
    let ranges = threads::parts(array.len(), turn.threads());
    let sizes = ranges.iter().map(|range| all[range.end].as_usize() - all[range.start].as_usize());
    let slices = threads::split(values.as_mut_slice(), sizes);
    let parts: Vec<_> = ranges.into_iter().zip(slices).collect();
    let invalid = threads::run(parts, |(range, slice)| {
        let part = array.slice(range.start, range.len());
        let part_tweaks = tweaks.map(|tweaks| tweaks.slice(range.start, range.len()));
        let column = Offsets::new(&part);
        let mut sink = InPlace::new(column.offsets(), slice);
        turn.turn_rows(range.start, &column, &column, range.len(), part_tweaks.as_ref(), &mut sink)
    })?;
    let invalid = Invalid::concatenate(invalid);
    let offsets = if first == 0 {
        array.offsets().clone()
    } else {
        OffsetBuffer::new(all.iter().map(|&offset| offset - all[0]).collect())
    };
    let validity = invalid.validity(array.nulls());
    // SAFETY: the offsets are the input's, moved to start at zero; the values are UTF-8, since characters of
    // a one-byte alphabet stand where such characters stood, whole separators stay, and other rows hold zero bytes.
    let tokens = unsafe { GenericStringArray::new_unchecked(offsets, values.into_buffer(last - first), validity) };
    Ok((Arc::new(tokens), invalid))
}

/// Tokens of other lengths than their values: written as views, then gathered in row order.
fn gathered<O: OffsetSizeTrait, T: Turn>(
    turn: &T,
    array: &GenericStringArray<O>,
    raw: &GenericStringArray<O>,
    tweaks: Option<&TweakColumn<'_>>,
) -> Turned {
    let written = write_views(turn.threads(), array, tweaks, |start, length, tweaks, sink| {
        let (part, raw) = (array.slice(start, length), raw.slice(start, length));
        turn.turn_rows(start, &Offsets::new(&part), &Offsets::new(&raw), length, tweaks, sink)
    })?;
    let validity = written.invalid.validity(array.nulls());
    let views = ScalarBuffer::new(written.views.into_buffer(usize::MAX), 0, array.len());
    // SAFETY: as in `views`.
    let viewed = unsafe { StringViewArray::new_unchecked(views, written.buffers.into(), None) };
    let total: usize = viewed.views().iter().map(|&view| view as u32 as usize).sum();
    if O::from_usize(total).is_none() {
        return Err(Failure::new(
            Code::UnsupportedType,
            "the tokens are too long for a string column with 32-bit offsets",
        )
        .with_hint("cast the column to large_string, or hand it over in smaller batches"));
    }
    let mut values = Vec::with_capacity(total);
    for row in 0..viewed.len() {
        values.extend_from_slice(viewed.value(row).as_bytes());
    }
    let offsets = OffsetBuffer::<O>::from_lengths(viewed.views().iter().map(|&view| view as u32 as usize));
    // SAFETY: offsets and values were gathered from whole strings just now.
    let tokens = unsafe { GenericStringArray::new_unchecked(offsets, Buffer::from_vec(values), validity) };
    Ok((Arc::new(tokens), written.invalid))
}
