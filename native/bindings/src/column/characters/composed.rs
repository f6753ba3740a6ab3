//! Values with separators, kept parts, check digits, tweak columns or characters of several bytes.

use super::notation::Notation;
use super::tweak::{self, TweakColumn, TweakRule};
use super::{Characters, CheckDigit, batch_rows};
use crate::column::Work;
use crate::column::invalid::{Invalid, Reason};
use crate::column::sink::Sink;
use crate::column::strings::Strings;
use crate::failure::Failure;
use tokenkit_algorithms::aes::AesKey;
use tokenkit_algorithms::check_digit::{luhn_sum, solve_luhn};
use tokenkit_algorithms::ff1::{Direction, Tweak};
use zeroize::{Zeroize, Zeroizing};

/// Most bytes of a tweak column's cell: longer ones are no labels, and a batch holds hundreds.
const LONGEST_TWEAK: usize = 1 << 16;
/// Batches that are kept at a time; where lengths are more various, all are encrypted and made anew.
const MOST_BATCHES: usize = 1 << 10;

/// Values of one length and one tweak length that wait to be encrypted together.
struct Batch<'k, N: Notation + 'k> {
    cipher: N::Cipher<'k>,
    /// Symbols of a whole value, kept parts and check digit included.
    length: usize,
    tweak_length: usize,
    stride: usize,
    capacity: usize,
    rows: Vec<u32>,
    whole: Vec<N::Symbol>,
    source: Vec<N::Symbol>,
    target: Vec<N::Symbol>,
    tweaks: Vec<u8>,
}

impl<'k, N: Notation + 'k> Drop for Batch<'k, N> {
    fn drop(&mut self) {
        self.whole.zeroize();
        self.source.zeroize();
        self.target.zeroize();
    }
}

/// Buffers that one row after the other uses.
#[derive(Default)]
struct RowBuffers<S: Zeroize> {
    symbols: Vec<S>,
    digits: Vec<u8>,
    tweak: Vec<u8>,
    text: Vec<u8>,
    /// Places in a batch of rows that became literals.
    met: Vec<usize>,
}

impl<S: Zeroize> Drop for RowBuffers<S> {
    fn drop(&mut self) {
        self.symbols.zeroize();
        self.digits.zeroize();
        self.text.zeroize();
    }
}

struct Run<'k, 'a, N: Notation> {
    characters: &'a Characters,
    notation: &'k N,
    work: Work<'k, AesKey>,
    tweaks: Option<&'a TweakColumn<'a>>,
    digit_tweak: bool,
    batches: Vec<Batch<'k, N>>,
    /// For each length, the batches of that length, one for each tweak length met.
    by_length: Vec<Vec<usize>>,
}

#[expect(clippy::too_many_arguments, reason = "the same list as the method that chooses the path")]
pub(super) fn run<N: Notation, C: Strings, S: Sink>(
    characters: &Characters,
    notation: &N,
    work: &Work<'_, AesKey>,
    column: &C,
    rows: usize,
    tweaks: Option<&TweakColumn<'_>>,
    sink: &mut S,
    invalid: &mut Invalid,
) -> Result<(), Failure> {
    let digit_tweak = characters.has_digit_alphabet();
    let mut run =
        Run { characters, notation, work: *work, tweaks, digit_tweak, batches: Vec::new(), by_length: Vec::new() };
    let mut buffers = RowBuffers::default();
    for row in 0..rows {
        if column.is_empty(row) {
            sink.clear(row);
            continue;
        }
        let value = column.bytes(row);
        if work.literals.contains(value) {
            sink.write(row, value);
            continue;
        }
        match run.prepare(row, value, &mut buffers) {
            Err(reason) => invalid.refuse(row, reason, sink),
            Ok(()) => {
                if run.batches.len() > MOST_BATCHES {
                    run.flush_all(column, &mut buffers, sink, invalid)?;
                }
                let index = run.batch(buffers.symbols.len(), buffers.tweak.len())?;
                run.push(index, row, &buffers);
                if run.batches[index].rows.len() == run.batches[index].capacity {
                    run.flush(index, column, &mut buffers, sink, invalid)?;
                }
            }
        }
    }
    run.flush_all(column, &mut buffers, sink, invalid)
}

impl<'k, N: Notation> Run<'k, '_, N> {
    /// Reads a row's symbols and tweak into the buffers, if the value fits.
    #[inline]
    fn prepare(&self, row: usize, value: &[u8], buffers: &mut RowBuffers<N::Symbol>) -> Result<(), Reason> {
        let characters = self.characters;
        buffers.symbols.clear();
        self.notation.read(value, &mut buffers.symbols)?;
        let length = buffers.symbols.len();
        if length < characters.min_length {
            return Err(Reason::TooShort);
        }
        if length > characters.max_length {
            return Err(Reason::TooLong);
        }
        if let Some(check_digit) = characters.check_digit {
            N::digits(&buffers.symbols, &mut buffers.digits);
            if luhn_sum(&buffers.digits) != check_digit.source_residue(self.work.direction) {
                return Err(Reason::CheckDigit);
            }
        }
        self.tweak(row, buffers)
    }

    #[inline]
    fn tweak(&self, row: usize, buffers: &mut RowBuffers<N::Symbol>) -> Result<(), Reason> {
        let characters = self.characters;
        buffers.tweak.clear();
        let cell = match self.tweaks {
            Some(tweaks) => Some(tweaks.get(row).filter(|cell| cell.len() <= LONGEST_TWEAK).ok_or(Reason::Tweak)?),
            None => None,
        };
        match characters.tweak {
            TweakRule::Raw(_) => {}
            TweakRule::RawColumn => buffers.tweak.extend_from_slice(cell.unwrap_or_default()),
            TweakRule::Contract { .. } if cell.is_none() && !characters.keeps_any() => {}
            TweakRule::Contract { .. } => {
                let first = &buffers.symbols[..characters.keep_first];
                let last = &buffers.symbols[buffers.symbols.len() - characters.keep_last..];
                if self.digit_tweak {
                    N::digits(&buffers.symbols, &mut buffers.digits);
                    let (first, rest) = buffers.digits.split_at(characters.keep_first);
                    tweak::digits(first, &rest[rest.len() - characters.keep_last..], &mut buffers.tweak);
                } else {
                    let (mut first_text, mut last_text) = (String::new(), String::new());
                    self.notation.text(first, &mut first_text);
                    self.notation.text(last, &mut last_text);
                    tweak::parts(&first_text, &last_text, &mut buffers.tweak);
                }
                buffers.tweak.push(u8::from(cell.is_some()));
                buffers.tweak.extend_from_slice(cell.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// The batch for a length and tweak length.
    #[inline]
    fn batch(&mut self, length: usize, tweak_length: usize) -> Result<usize, Failure> {
        if length >= self.by_length.len() {
            self.by_length.resize_with(length + 1, Vec::new);
        }
        let found = self.by_length[length].iter().find(|&&index| self.batches[index].tweak_length == tweak_length);
        match found {
            Some(&index) => Ok(index),
            None => {
                let batch = self.make(length, tweak_length)?;
                self.batches.push(batch);
                self.by_length[length].push(self.batches.len() - 1);
                Ok(self.batches.len() - 1)
            }
        }
    }

    #[cold]
    fn make(&self, length: usize, tweak_length: usize) -> Result<Batch<'k, N>, Failure> {
        let parameters = self.characters.parameters(self.characters.body_length(length))?;
        let tweak = match &self.characters.tweak {
            TweakRule::Raw(bytes) => Tweak::Shared(bytes),
            _ => Tweak::Each { length: tweak_length },
        };
        let cipher = self.notation.cipher(&self.work, parameters, tweak)?;
        let stride = N::stride(&cipher);
        let capacity = batch_rows(stride.max(tweak_length));
        Ok(Batch {
            cipher,
            length,
            tweak_length,
            stride,
            capacity,
            rows: Vec::with_capacity(capacity),
            whole: Vec::with_capacity(capacity * length),
            source: vec![N::Symbol::default(); capacity * stride],
            target: vec![N::Symbol::default(); capacity * stride],
            tweaks: Vec::new(),
        })
    }

    #[inline]
    fn push(&mut self, index: usize, row: usize, buffers: &RowBuffers<N::Symbol>) {
        let batch = &mut self.batches[index];
        let body = self.characters.body_length(batch.length);
        let start = batch.rows.len() * batch.stride;
        let first = self.characters.keep_first;
        batch.source[start..start + body].copy_from_slice(&buffers.symbols[first..first + body]);
        batch.whole.extend_from_slice(&buffers.symbols);
        batch.tweaks.extend_from_slice(&buffers.tweak);
        batch.rows.push(row as u32);
    }

    fn flush_all<C: Strings, S: Sink>(
        &mut self,
        column: &C,
        buffers: &mut RowBuffers<N::Symbol>,
        sink: &mut S,
        invalid: &mut Invalid,
    ) -> Result<(), Failure> {
        for index in 0..self.batches.len() {
            self.flush(index, column, buffers, sink, invalid)?;
        }
        self.batches.clear();
        self.by_length.clear();
        Ok(())
    }

    fn flush<C: Strings, S: Sink>(
        &mut self,
        index: usize,
        column: &C,
        buffers: &mut RowBuffers<N::Symbol>,
        sink: &mut S,
        invalid: &mut Invalid,
    ) -> Result<(), Failure> {
        let (characters, notation, literals) = (self.characters, self.notation, self.work.literals);
        let batch = &mut self.batches[index];
        let used = batch.rows.len() * batch.stride;
        if used == 0 {
            return Ok(());
        }
        let (direction, target) = (self.work.direction, &mut batch.target[..used]);
        N::apply(&batch.cipher, direction, &batch.source[..used], target, &batch.tweaks)?;
        let body = characters.body_length(batch.length);
        let rows = batch.rows.iter().zip(batch.whole.chunks_exact_mut(batch.length));
        for (place, ((&row, whole), turned)) in rows.zip(batch.target.chunks_exact(batch.stride)).enumerate() {
            let value = column.bytes(row as usize);
            restore(characters, notation, direction, value, whole, &turned[..body], buffers);
            if literals.contains(&buffers.text) {
                buffers.met.push(place);
            } else {
                sink.write(row as usize, &buffers.text);
            }
        }
        if !buffers.met.is_empty() {
            self.walk(index, column, buffers, sink, invalid)?;
        }
        let batch = &mut self.batches[index];
        batch.rows.clear();
        batch.whole.clear();
        batch.tweaks.clear();
        Ok(())
    }

    /// Takes the rows of a batch that became literals through FF1 again, each until it is none.
    ///
    /// Where values and tokens are one set, a walk that starts beside the literals comes back to its start if it must,
    /// so that it ends. With a check digit that tells them apart it might not; there a token never is a literal, and
    /// one whose value would be was not made by tokenizing.
    #[cold]
    #[inline(never)]
    fn walk<C: Strings, S: Sink>(
        &mut self,
        index: usize,
        column: &C,
        buffers: &mut RowBuffers<N::Symbol>,
        sink: &mut S,
        invalid: &mut Invalid,
    ) -> Result<(), Failure> {
        let (characters, notation, work) = (self.characters, self.notation, self.work);
        let batch = &mut self.batches[index];
        let body = characters.body_length(batch.length);
        let first = characters.keep_first;
        let tweak_length = if batch.tweaks.is_empty() { 0 } else { batch.tweak_length };
        let mut source = Zeroizing::new(vec![N::Symbol::default(); batch.stride]);
        let mut target = source.clone();
        for place in std::mem::take(&mut buffers.met) {
            let row = batch.rows[place] as usize;
            if characters.check_digit == Some(CheckDigit::Invalid) {
                invalid.refuse(row, Reason::Integrity, sink);
                continue;
            }
            let whole = &mut batch.whole[place * batch.length..][..batch.length];
            let tweak = &batch.tweaks[place * tweak_length..][..tweak_length];
            loop {
                source[..body].copy_from_slice(&whole[first..first + body]);
                target.copy_from_slice(&source);
                N::apply(&batch.cipher, work.direction, &source, &mut target, tweak)?;
                restore(characters, notation, work.direction, column.bytes(row), whole, &target[..body], buffers);
                if !work.literals.contains(&buffers.text) {
                    break;
                }
            }
            sink.write(row, &buffers.text);
        }
        Ok(())
    }
}

/// Puts what came out of FF1 back into a value, in symbols and as text.
#[inline(always)]
fn restore<N: Notation>(
    characters: &Characters,
    notation: &N,
    direction: Direction,
    value: &[u8],
    whole: &mut [N::Symbol],
    turned: &[N::Symbol],
    buffers: &mut RowBuffers<N::Symbol>,
) {
    let first = characters.keep_first;
    whole[first..first + turned.len()].copy_from_slice(turned);
    if let Some(check_digit) = characters.check_digit {
        let residue = check_digit.target_residue(direction);
        restore_check(notation, whole, first + turned.len(), residue, &mut buffers.digits);
    }
    buffers.text.clear();
    notation.write(value, whole, &mut buffers.text);
}

/// Sets the symbol at `position` so that the Luhn sum of the whole value is `residue`.
#[inline]
fn restore_check<N: Notation>(
    notation: &N,
    whole: &mut [N::Symbol],
    position: usize,
    residue: u8,
    scratch: &mut Vec<u8>,
) {
    N::digits(whole, scratch);
    solve_luhn(scratch, position, residue);
    whole[position] = notation.symbol(u16::from(scratch[position]));
}
