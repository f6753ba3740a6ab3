//! Values that are nothing but characters of a one-byte alphabet: whole batches go through the fused kernel.

use super::{Characters, batch_rows};
use crate::column::Work;
use crate::column::invalid::{Invalid, Reason};
use crate::column::sink::Sink;
use crate::column::strings::Strings;
use crate::failure::{Code, Failure};
use std::ops::Range;
use tokenkit_algorithms::aes::AesKey;
use tokenkit_algorithms::ff1::{AsciiFf1, Tweak};
use zeroize::Zeroizing;

/// Rows looked at together for values that stand one after the other in memory.
const BLOCK: usize = 256;

/// Values of one length that wait to be encrypted together.
struct Batch<'k, 'a> {
    cipher: AsciiFf1<'k, 'a>,
    length: usize,
    stride: usize,
    capacity: usize,
    source: Zeroizing<Vec<u8>>,
    rows: Vec<u32>,
}

impl Batch<'_, '_> {
    #[inline]
    fn push(&mut self, row: usize, value: &[u8]) {
        let start = self.rows.len() * self.stride;
        copy_value(value, &mut self.source[start..start + self.stride]);
        self.rows.push(row as u32);
    }

    fn flush<C: Strings, S: Sink>(
        &mut self,
        work: &Work<'_, AesKey>,
        column: &C,
        sink: &mut S,
        wrong: &mut Vec<u32>,
        invalid: &mut Invalid,
    ) {
        let source = &self.source[..self.rows.len() * self.stride];
        sink.write_batch(&self.rows, self.length, self.stride, |target| {
            self.cipher.apply(work.direction, source, target, &[], wrong);
        });
        for index in wrong.drain(..) {
            let row = self.rows[index as usize] as usize;
            set_aside(work, row, column.bytes(row), Reason::Character, sink, invalid);
        }
        self.rows.clear();
    }
}

/// Copies a value to the start of its slot. Most values have at most 16 bytes, for which two overlapping moves beat a
/// call to memcpy.
#[inline]
fn copy_value(value: &[u8], slot: &mut [u8]) {
    if let (Some(head), Some(tail), 8..=16) = (value.first_chunk::<8>(), value.last_chunk::<8>(), value.len()) {
        let end = value.len();
        slot[..8].copy_from_slice(head);
        slot[end - 8..end].copy_from_slice(tail);
    } else {
        slot[..value.len()].copy_from_slice(value);
    }
}

struct Batches<'k, 'a> {
    characters: &'a Characters,
    work: Work<'k, AesKey>,
    tweak: &'a [u8],
    by_length: Vec<Option<Box<Batch<'k, 'a>>>>,
}

impl<'k, 'a> Batches<'k, 'a> {
    /// The batch for a length, `None` if values can't have it.
    #[inline]
    fn get(&mut self, length: usize) -> Result<Option<&mut Batch<'k, 'a>>, Failure> {
        if length < self.characters.min_length || length > self.characters.max_length {
            return Ok(None);
        }
        if length >= self.by_length.len() {
            self.by_length.resize_with(length + 1, || None);
        }
        if self.by_length[length].is_none() {
            self.by_length[length] = Some(Box::new(self.make(length)?));
        }
        Ok(self.by_length[length].as_deref_mut())
    }

    #[cold]
    fn make(&self, length: usize) -> Result<Batch<'k, 'a>, Failure> {
        let parameters = self.characters.parameters(length)?;
        let alphabet = &self.characters.alphabet;
        let cipher = AsciiFf1::new(self.work.key, self.work.kernel, alphabet, parameters, Tweak::Shared(self.tweak))
            .map_err(|_| Failure::new(Code::Scheme, "FF1 refuses this tweak"))?;
        let stride = cipher.stride();
        let capacity = batch_rows(stride);
        let (source, rows) = (Zeroizing::new(vec![0; capacity * stride]), Vec::with_capacity(capacity));
        Ok(Batch { cipher, length, stride, capacity, source, rows })
    }
}

pub(super) fn run<C: Strings, S: Sink>(
    characters: &Characters,
    work: &Work<'_, AesKey>,
    column: &C,
    rows: usize,
    sink: &mut S,
    invalid: &mut Invalid,
) -> Result<(), Failure> {
    let tweak = characters.tweak.shared(false).unwrap_or_default();
    let mut batches = Batches { characters, work: *work, tweak, by_length: Vec::new() };
    let mut wrong = Vec::new();
    let mut gathered = Zeroizing::new(Vec::new());
    for start in (0..rows).step_by(BLOCK) {
        let end = (start + BLOCK).min(rows);
        // Columns whose values all have one length are common enough to be looked for block by block.
        if end - start == BLOCK && !column.is_null(start) {
            let length = column.bytes(start).len();
            if let Some(batch) = batches.get(length)?
                && column.is_uniform(start..end, length)
            {
                let source = match column.contiguous(start..end, length) {
                    Some(source) if batch.stride == length => source,
                    _ => gather(column, start..end, batch.stride, &mut gathered),
                };
                sink.write_run(start..end, length, batch.stride, |target| {
                    batch.cipher.apply(work.direction, source, target, &[], &mut wrong);
                });
                for index in wrong.drain(..) {
                    let row = start + index as usize;
                    set_aside(work, row, column.bytes(row), Reason::Character, sink, invalid);
                }
                continue;
            }
        }
        for row in start..end {
            if column.is_empty(row) {
                sink.clear(row);
                continue;
            }
            let value = column.bytes(row);
            match batches.get(value.len())? {
                Some(batch) => {
                    batch.push(row, value);
                    if batch.rows.len() == batch.capacity {
                        batch.flush(work, column, sink, &mut wrong, invalid);
                    }
                }
                None => set_aside(work, row, value, length_reason(characters, value), sink, invalid),
            }
        }
    }
    for batch in batches.by_length.iter_mut().flatten() {
        if !batch.rows.is_empty() {
            batch.flush(work, column, sink, &mut wrong, invalid);
        }
    }
    Ok(())
}

/// Takes a row that is no value of the scheme: a literal, none of which is one here, or what doesn't fit.
#[cold]
fn set_aside<S: Sink>(
    work: &Work<'_, AesKey>,
    row: usize,
    value: &[u8],
    reason: Reason,
    sink: &mut S,
    invalid: &mut Invalid,
) {
    if work.literals.contains(value) {
        sink.write(row, value);
    } else {
        invalid.refuse(row, reason, sink);
    }
}

/// Copies values into slots.
#[inline]
fn gather<'s, C: Strings>(column: &C, rows: Range<usize>, stride: usize, slots: &'s mut Vec<u8>) -> &'s [u8] {
    let size = rows.len() * stride;
    slots.resize(slots.len().max(size), 0);
    for (slot, row) in slots[..size].chunks_exact_mut(stride).zip(rows) {
        copy_value(column.bytes(row), slot);
    }
    &slots[..size]
}

/// Whether a text is a value of the scheme, and so a possible token.
pub(super) fn takes(characters: &Characters, text: &[u8]) -> bool {
    let numerals = characters.alphabet.ascii_numerals();
    (characters.min_length..=characters.max_length).contains(&text.len())
        && text.iter().all(|&byte| numerals[usize::from(byte)] != u8::MAX)
}

/// Why a value of a wrong length doesn't fit: a foreign character is named before the length.
#[cold]
fn length_reason(characters: &Characters, value: &[u8]) -> Reason {
    let numerals = characters.alphabet.ascii_numerals();
    if value.iter().any(|&byte| numerals[usize::from(byte)] == u8::MAX) {
        Reason::Character
    } else if value.len() < characters.min_length {
        Reason::TooShort
    } else {
        Reason::TooLong
    }
}
