//! Sealed tokens for the values that don't fit a scheme: another pass over the rows that the scheme has been through.

use super::Work;
use super::invalid::{Invalid, Reason};
use super::sealed::{Batch, Sealed};
use super::sink::Sink;
use super::strings::Strings;
use crate::failure::{Code, Failure};
use crate::keys::Subkey;
use std::sync::Arc;
use tokenkit_algorithms::ff1::Direction;
use tokenkit_algorithms::siv::Siv;

/// The `seal` of a policy's `on_invalid`.
pub struct Fallback {
    /// How text is sealed; of the scheme's key version and domain.
    pub sealed: Sealed,
    /// The AES-SIV subkey.
    pub key: Arc<Subkey>,
}

impl Fallback {
    /// The AES-SIV key itself.
    pub fn siv(&self) -> Result<&Siv, Failure> {
        match self.key.as_ref() {
            Subkey::AesSiv(key) => Ok(key),
            Subkey::Ff1(_) => Err(Failure::new(Code::NativeDefect, "a fallback's subkey is of another algorithm")),
        }
    }

    /// Seals the values that didn't fit, or opens the tokens that are sealed ones. `raw` holds the values as they were
    /// given; each of the column's rows has been written or cleared already.
    pub fn run<C: Strings, S: Sink>(
        &self,
        work: &Work<'_, Siv>,
        raw: &C,
        rows: usize,
        sink: &mut S,
        invalid: &mut Invalid,
    ) {
        match work.direction {
            Direction::Encrypt => self.seal(work, raw, sink, invalid),
            Direction::Decrypt => self.open(work, raw, rows, sink, invalid),
        }
    }

    /// Rows that are sealed keep their reasons.
    pub fn seal<C: Strings, S: Sink>(&self, work: &Work<'_, Siv>, raw: &C, sink: &mut S, invalid: &mut Invalid) {
        let marked: Vec<usize> = invalid.rows().collect();
        let mut batch = Batch::default();
        let mut write = |row: usize, turned: Result<&[u8], Reason>, invalid: &mut Invalid| {
            if let Ok(token) = turned {
                sink.write(row, token);
                invalid.seal(row);
            }
        };
        for row in marked {
            if let Err(reason) = self.sealed.take(work.direction, row, raw.bytes(row), &mut batch) {
                invalid.correct(row, reason);
            }
            if batch.is_full() {
                self.sealed.flush(work, &mut batch, |row, turned| write(row, turned, invalid));
            }
        }
        self.sealed.flush(work, &mut batch, |row, turned| write(row, turned, invalid));
    }

    /// What authenticates is sealed, whatever the scheme made of it; anything else is left as the scheme left it.
    fn open<C: Strings, S: Sink>(
        &self,
        work: &Work<'_, Siv>,
        raw: &C,
        rows: usize,
        sink: &mut S,
        invalid: &mut Invalid,
    ) {
        let prefix = self.sealed.prefix();
        let mut batch = Batch::default();
        let mut write = |row: usize, turned: Result<&[u8], Reason>, invalid: &mut Invalid| match turned {
            Ok(value) => {
                sink.write_opened(row, value);
                invalid.clear(row);
            }
            Err(reason) => invalid.correct(row, reason),
        };
        for row in 0..rows {
            if raw.is_null(row) || !raw.bytes(row).starts_with(&prefix) || work.literals.contains(raw.bytes(row)) {
                continue;
            }
            // What only starts like a token of ours is the scheme's business.
            let taken = self.sealed.take(work.direction, row, raw.bytes(row), &mut batch);
            if taken.is_ok() && batch.is_full() {
                self.sealed.flush(work, &mut batch, |row, turned| write(row, turned, invalid));
            }
        }
        self.sealed.flush(work, &mut batch, |row, turned| write(row, turned, invalid));
    }
}
