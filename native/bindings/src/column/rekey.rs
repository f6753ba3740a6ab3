//! From one key version to another: tokens are opened and made anew a few thousand rows at a time.
//!
//! The values exist in [`Opened`] only, which is bounded and wiped; no Arrow array ever holds them. While they are
//! there, the proof's sum is taken.

use super::characters::TweakColumn;
use super::invalid::{Invalid, Reason};
use super::layout::{self, Turn};
use super::opened::{Opened, Part, PartSink};
use super::sink::Sink;
use super::strings::Strings;
use super::texts::{self, Visitor, no_path, sound};
use super::{Method, OnInvalid, Plan, dictionary, integers};
use crate::failure::{Code, Failure};
use arrow_array::{Array, ArrayRef, cast::AsArray, downcast_dictionary_array};
use arrow_schema::DataType;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use tokenkit_algorithms::proof::{Kind, ProofKey, Sum};
use tokenkit_algorithms::scrub::scrubbed;

const BATCH_ROWS: usize = 4096;
/// A batch ends early when its tokens grow past this, so that long texts don't pile up.
const BATCH_BYTES: usize = 1 << 22;

/// How the tokens of a column were made, and how they are to be made.
pub struct Rekey {
    /// Detokenizes.
    pub old: Plan,
    /// Tokenizes; doesn't normalize, since the values have been normalized already.
    pub new: Plan,
}

/// What takes the sum over the values of a column.
pub struct Proving<'a> {
    /// The key of the proof.
    pub key: &'a ProofKey,
    /// The number of each row.
    pub numbers: &'a [u64],
    /// The sum so far.
    pub sum: &'a Mutex<Sum>,
}

impl Proving<'_> {
    fn slice(&self, start: usize, length: usize) -> Proving<'_> {
        Proving { numbers: &self.numbers[start..start + length], ..*self }
    }
}

/// The work on one chunk.
pub(super) struct Pass<'a> {
    pub(super) old: &'a Plan,
    pub(super) new: &'a Plan,
    pub(super) proving: Option<Proving<'a>>,
}

impl Rekey {
    /// The new tokens of a column, chunk by chunk. Whatever is no token of the old version is an error.
    pub fn run(
        &self,
        name: &str,
        chunks: &[ArrayRef],
        tweaks: Option<&TweakColumn<'_>>,
        proving: Option<&Proving<'_>>,
    ) -> Result<Vec<ArrayRef>, Failure> {
        let turned = each_chunk(name, chunks, tweaks, proving, |chunk, tweaks, proving| {
            let pass = Pass { old: &self.old, new: &self.new, proving };
            pass.turn(chunk, tweaks)
        })?;
        self.old.count_use(chunks);
        self.new.count_use(chunks);
        Ok(turned)
    }
}

impl Plan {
    /// Takes the sum over the values of a column of tokens; no array comes of them.
    pub fn prove(
        &self,
        name: &str,
        chunks: &[ArrayRef],
        tweaks: Option<&TweakColumn<'_>>,
        proving: &Proving<'_>,
    ) -> Result<(), Failure> {
        each_chunk(name, chunks, tweaks, Some(proving), |chunk, tweaks, proving| {
            let pass = Pass { old: self, new: self, proving };
            pass.prove(chunk, tweaks).map(|invalid| ((), invalid))
        })?;
        self.count_use(chunks);
        Ok(())
    }
}

fn each_chunk<R>(
    name: &str,
    chunks: &[ArrayRef],
    tweaks: Option<&TweakColumn<'_>>,
    proving: Option<&Proving<'_>>,
    turn: impl Fn(&ArrayRef, Option<&TweakColumn<'_>>, Option<Proving<'_>>) -> Result<(R, Invalid), Failure>,
) -> Result<Vec<R>, Failure> {
    let rows: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    if tweaks.is_some_and(|tweaks| tweaks.len() != rows && tweaks.len() != 1) {
        return Err(Failure::new(Code::TweakMismatch, "there is not one tweak for each value").with_column(name));
    }
    if proving.is_some_and(|proving| proving.numbers.len() != rows) {
        return Err(Failure::new(Code::Specification, "there is not one row number for each value").with_column(name));
    }
    let (mut turned, mut invalid, mut start) = (Vec::with_capacity(chunks.len()), Vec::new(), 0);
    for chunk in chunks {
        if u32::try_from(chunk.len()).is_err() {
            return Err(Failure::new(Code::UnsupportedType, "a chunk has more than 2^32 - 1 rows").with_column(name));
        }
        let tweaks = tweaks.map(|tweaks| tweaks.slice(start, chunk.len()));
        let proving = proving.map(|proving| proving.slice(start, chunk.len()));
        let (tokens, unfit) = turn(chunk, tweaks.as_ref(), proving).map_err(|failure| failure.with_column(name))?;
        turned.push(tokens);
        invalid.push(unfit);
        start += chunk.len();
    }
    let invalid = Invalid::concatenate(invalid);
    let Some((reason, list)) = invalid.summary() else { return Ok(turned) };
    let message = format!(
        "{} of {rows} rows have values that are not tokens of the key version that they should be of ({list})",
        invalid.count()
    );
    Err(Failure::new(Code::InvalidValues, message)
        .with_column(name)
        .with_reason(reason.code(), invalid.count())
        .with_hint("nothing was changed; detokenize with on_invalid=\"null\" shows which rows they are"))
}

impl Pass<'_> {
    fn turn(&self, chunk: &ArrayRef, tweaks: Option<&TweakColumn<'_>>) -> Result<(ArrayRef, Invalid), Failure> {
        match chunk.data_type() {
            DataType::Null => self.prove(chunk, None).map(|invalid| (chunk.clone(), invalid)),
            DataType::Utf8 => layout::offsets::<i32, _>(self, chunk.as_string(), chunk.as_string(), tweaks),
            DataType::LargeUtf8 => layout::offsets::<i64, _>(self, chunk.as_string(), chunk.as_string(), tweaks),
            DataType::Utf8View => layout::views(self, chunk.as_string_view(), chunk.as_string_view(), tweaks),
            numbers if numbers.is_integer() => {
                let (texts, unfit) = integers::texts(&self.old.treatment, chunk)?;
                let (tokens, mut invalid) =
                    layout::views(self, texts.as_string_view(), texts.as_string_view(), tweaks)?;
                for row in unfit {
                    invalid.mark(row, Reason::Range);
                }
                integers::read_back(&tokens, invalid, numbers)
            }
            DataType::Dictionary(_, _) if tweaks.is_none() => {
                sound(chunk)?;
                // Each distinct value is turned once, but the proof is about rows.
                if self.proving.is_some() {
                    let invalid = self.prove(chunk, None)?;
                    if invalid.count() > 0 {
                        return Ok((chunk.clone(), invalid));
                    }
                }
                let array = chunk.as_ref();
                let pass = Pass { proving: None, ..*self };
                downcast_dictionary_array!(
                    array => dictionary::turn(array, false, |values| pass.turn(values, None)),
                    _ => Err(no_path())
                )
            }
            _ => Err(no_path()),
        }
    }

    fn prove(&self, chunk: &ArrayRef, tweaks: Option<&TweakColumn<'_>>) -> Result<Invalid, Failure> {
        let (mut invalid, unfit) = texts::visit(&self.old.treatment, chunk, &mut Proved { pass: self, tweaks })?;
        unfit.into_iter().for_each(|row| invalid.mark(row, Reason::Range));
        Ok(invalid)
    }

    /// Opens batch after batch, and hands over the values of each.
    pub(super) fn open<C: Strings>(
        &self,
        start: usize,
        column: &C,
        rows: usize,
        tweaks: Option<&TweakColumn<'_>>,
        mut each: impl FnMut(Range<usize>, &Opened, Option<&TweakColumn<'_>>, &mut Invalid) -> Result<(), Failure>,
    ) -> Result<Invalid, Failure> {
        let mut opened = Opened::default();
        let (mut unfit, mut sum, mut next) = (Vec::new(), Sum::default(), 0);
        while next < rows {
            let batch = next..batch_end(column, next, rows);
            next = batch.end;
            let part = Part::new(column, batch.start);
            let tweaks = tweaks.map(|tweaks| tweaks.slice(batch.start, batch.len()));
            opened.reset(batch.len());
            let mut invalid = self.old.run_strings(&part, &part, batch.len(), tweaks.as_ref(), &mut opened)?;
            if let Some(proving) = &self.proving {
                let numbers = &proving.numbers[start + batch.start..start + batch.end];
                let messages = numbers
                    .iter()
                    .enumerate()
                    .map(|(row, &number)| (number, self.kind(&part, &opened, row), opened.bytes(row)));
                sum.add(&proving.key.sum(self.old.kernel, messages));
            }
            each(batch, &opened, tweaks.as_ref(), &mut invalid)?;
            unfit.push(invalid);
        }
        if let Some(proving) = &self.proving {
            // A sum is added whole, so that a poisoned lock still guards a sound one.
            proving.sum.lock().unwrap_or_else(PoisonError::into_inner).add(&sum);
        }
        Ok(Invalid::concatenate(unfit))
    }

    /// What stands in a row, by its token and by what came out of that.
    pub(super) fn kind<C: Strings>(&self, tokens: &C, opened: &Opened, row: usize) -> Kind {
        if tokens.is_null(row) {
            Kind::Null
        } else if tokens.bytes(row).is_empty() {
            Kind::Empty
        } else if opened.is_sealed(row) {
            Kind::Sealed
        } else if self.old.treatment.literals.contains(tokens.bytes(row)) {
            Kind::Literal
        } else {
            Kind::Value
        }
    }

    /// Makes the tokens of opened values.
    fn close<S: Sink>(
        &self,
        opened: &Opened,
        rows: usize,
        tweaks: Option<&TweakColumn<'_>>,
        sink: &mut S,
        invalid: &mut Invalid,
    ) -> Result<(), Failure> {
        let mut unfit = self.new.run_method(opened, rows, tweaks, sink)?;
        let mut lost = unfit.count() > 0;
        // A text that is too long for its scheme is sealed like any other.
        if !lost || matches!(self.new.method, Method::Sealed(_)) {
            opened.sealed_rows().for_each(|row| unfit.mark(row, Reason::Integrity));
            if unfit.count() > 0 {
                let OnInvalid::Seal(fallback) = &self.new.on_invalid else {
                    return Err(Failure::new(Code::NativeDefect, "a value was opened that can't be sealed again"));
                };
                fallback.seal(&self.new.work(fallback.siv()?), opened, sink, &mut unfit);
            }
            lost = unfit.count() > 0;
        }
        // What has come out of a token is a value of the scheme, or the token was none.
        if lost {
            unfit.rows().for_each(|row| invalid.mark(row, Reason::Integrity));
        }
        Ok(())
    }
}

impl Turn for Pass<'_> {
    fn threads(&self) -> usize {
        self.old.threads
    }

    fn keeps_byte_length(&self) -> bool {
        match (&self.old.method, &self.old.on_invalid) {
            (Method::Sealed(_), _) | (_, OnInvalid::Seal(_)) => false,
            (Method::Characters(characters), _) => characters.keeps_byte_length(),
        }
    }

    fn turn_rows<C: Strings, S: Sink>(
        &self,
        start: usize,
        column: &C,
        _raw: &C,
        rows: usize,
        tweaks: Option<&TweakColumn<'_>>,
        sink: &mut S,
    ) -> Result<Invalid, Failure> {
        // Around the old key's work, the new one's and the proof's.
        scrubbed(|| {
            self.open(start, column, rows, tweaks, |batch, opened, tweaks, invalid| {
                self.close(opened, batch.len(), tweaks, &mut PartSink::new(sink, batch.start), invalid)
            })
        })
    }
}

/// Where a batch of rows ends that begins at `start`.
pub(super) fn batch_end<C: Strings>(column: &C, start: usize, rows: usize) -> usize {
    let (mut end, mut size) = (start, 0);
    while end < rows && end - start < BATCH_ROWS && size < BATCH_BYTES {
        if !column.is_null(end) {
            size += column.bytes(end).len();
        }
        end += 1;
    }
    end
}

/// The texts of a chunk, whose values are added to the proof.
struct Proved<'p> {
    pass: &'p Pass<'p>,
    tweaks: Option<&'p TweakColumn<'p>>,
}

impl Visitor for Proved<'_> {
    type Output = Invalid;

    fn visit<C: Strings>(&mut self, column: &C, rows: usize) -> Result<Invalid, Failure> {
        scrubbed(|| self.pass.open(0, column, rows, self.tweaks, |_, _, _, _| Ok(())))
    }
}
