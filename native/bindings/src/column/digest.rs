//! The digest of a column's values that doesn't depend on the order of rows: of what a job reads, and of what the
//! tokens that it wrote stand for (token contract, "Rekey and its proof").
//!
//! What is read is taken from the values themselves, never from their tokens: otherwise an engine that leaves a value
//! in clear would prove itself.

use super::characters::TweakColumn;
use super::opened::{Opened, Part};
use super::rekey::{Pass, batch_end};
use super::sink::Sink;
use super::strings::Strings;
use super::texts::{self, Visitor};
use super::{Method, OnInvalid, Plan};
use crate::failure::{Code, Failure};
use arrow_array::ArrayRef;
use std::sync::{Mutex, PoisonError};
use tokenkit_algorithms::kernel::Kernel;
use tokenkit_algorithms::proof::{Kind, ProofKey, Sum};
use tokenkit_algorithms::scrub::scrubbed;

/// Rows have no numbers in a digest, since tables have no order.
const NO_NUMBER: u64 = 0;

/// What takes a digest.
pub struct Digesting<'a> {
    /// The key of the proof.
    pub key: &'a ProofKey,
    /// The sum so far.
    pub sum: &'a Mutex<Sum>,
    /// Whether to give each row's mark, and to leave the sum as it is.
    pub by_row: bool,
}

/// What became of the rows of a column.
#[derive(Default)]
pub struct Digested {
    /// Whether each row is in the digest.
    pub taken: Vec<bool>,
    /// For each row the mark of its value, if that was asked for; 0 where it isn't taken.
    pub marks: Vec<u64>,
}

/// What became of the values of a column that is tokenized.
pub struct Fate<'a> {
    /// Whether each fits the scheme.
    pub fits: &'a [bool],
    /// Whether each row is set aside.
    pub rejected: Option<&'a [bool]>,
}

impl Digesting<'_> {
    fn take<'v>(
        &self,
        kernel: Kernel,
        rows: usize,
        value: impl Fn(usize) -> Option<(Kind, &'v [u8])>,
        sum: &mut Sum,
        digested: &mut Digested,
    ) {
        if self.by_row {
            let marks =
                (0..rows).map(|row| value(row).map(|(kind, text)| self.key.mark(kernel, NO_NUMBER, kind, text)));
            for mark in marks {
                digested.taken.push(mark.is_some());
                digested.marks.push(mark.unwrap_or_default());
            }
        } else {
            let taken = &mut digested.taken;
            let messages = (0..rows).filter_map(|row| {
                let value = value(row);
                taken.push(value.is_some());
                value.map(|(kind, text)| (NO_NUMBER, kind, text))
            });
            sum.add(&self.key.sum(kernel, messages));
        }
    }

    /// A sum is added whole, so that a poisoned lock still guards a sound one.
    fn add(&self, sum: &Sum) {
        self.sum.lock().unwrap_or_else(PoisonError::into_inner).add(sum);
    }
}

impl Plan {
    /// Takes the digest of values as detokenizing their tokens gives them: normalized, null where the policy makes
    /// them null, as they were where it seals them. Rows that are set aside aren't in it.
    pub fn digest_values(
        &self,
        name: &str,
        chunks: &[ArrayRef],
        fate: &Fate<'_>,
        digesting: &Digesting<'_>,
    ) -> Result<Digested, Failure> {
        let rows: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        if fate.fits.len() != rows || fate.rejected.is_some_and(|rejected| rejected.len() != rows) {
            return Err(Failure::new(Code::Specification, "not every value's fate is known").with_column(name));
        }
        let mut digested = Digested::default();
        for chunk in chunks {
            let mut values = Values { plan: self, fate, digesting, digested: &mut digested };
            texts::visit(&self.treatment, chunk, &mut values).map_err(|failure| failure.with_column(name))?;
        }
        Ok(digested)
    }

    /// Takes the digest of the values that tokens stand for. What is no token isn't in it.
    pub fn digest_tokens(
        &self,
        name: &str,
        chunks: &[ArrayRef],
        tweaks: Option<&TweakColumn<'_>>,
        digesting: &Digesting<'_>,
    ) -> Result<Digested, Failure> {
        let rows: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        if tweaks.is_some_and(|tweaks| tweaks.len() != rows && tweaks.len() != 1) {
            return Err(Failure::new(Code::TweakMismatch, "there is not one tweak for each value").with_column(name));
        }
        let mut digested = Digested::default();
        for chunk in chunks {
            let start = digested.taken.len();
            let tweaks = tweaks.map(|tweaks| tweaks.slice(start, chunk.len()));
            let mut tokens = Tokens { plan: self, tweaks: tweaks.as_ref(), digesting, digested: &mut digested };
            let ((), unfit) =
                texts::visit(&self.treatment, chunk, &mut tokens).map_err(|failure| failure.with_column(name))?;
            // A number that no token can be was null to the visitor: the digest holds a null too many.
            for row in unfit {
                digested.taken[start + row] = false;
            }
        }
        self.count_use(chunks);
        Ok(digested)
    }

    /// What detokenizing gives for a row, by what becomes of it.
    fn value<'v, C: Strings>(&self, given: &'v C, text: &'v [u8], row: usize, fits: bool) -> (Kind, &'v [u8]) {
        if given.is_null(row) {
            (Kind::Null, &[])
        } else if !fits {
            match (&self.on_invalid, &self.method) {
                // A sealed scheme opens all of its tokens alike.
                (OnInvalid::Seal(_), Method::Sealed(_)) => (Kind::Value, given.bytes(row)),
                (OnInvalid::Seal(_), _) => (Kind::Sealed, given.bytes(row)),
                _ => (Kind::Null, &[]),
            }
        } else if text.is_empty() {
            (Kind::Empty, &[])
        } else if self.treatment.literals.contains(text) {
            (Kind::Literal, text)
        } else {
            (Kind::Value, text)
        }
    }
}

/// The values of a chunk.
struct Values<'v> {
    plan: &'v Plan,
    fate: &'v Fate<'v>,
    digesting: &'v Digesting<'v>,
    digested: &'v mut Digested,
}

impl Visitor for Values<'_> {
    type Output = ();

    fn visit<C: Strings>(&mut self, column: &C, rows: usize) -> Result<(), Failure> {
        let mut sum = Sum::default();
        scrubbed(|| {
            let (mut normalized, mut next) = (Opened::default(), 0);
            while next < rows {
                let batch = next..batch_end(column, next, rows);
                next = batch.end;
                self.batch(&Part::new(column, batch.start), batch.len(), &mut normalized, &mut sum);
            }
        });
        self.digesting.add(&sum);
        Ok(())
    }
}

impl Values<'_> {
    fn batch<C: Strings>(&mut self, given: &C, rows: usize, normalized: &mut Opened, sum: &mut Sum) {
        let plan = self.plan;
        let start = self.digested.taken.len();
        let fits = &self.fate.fits[start..start + rows];
        let rejected = self.fate.rejected.map(|rejected| &rejected[start..start + rows]);
        let kept = |row: usize| !rejected.is_some_and(|rejected| rejected[row]);
        match &plan.treatment.normalization {
            Some(normalization) => {
                normalized.reset(rows);
                let (method, literals) = (&plan.method, &plan.treatment.literals);
                normalization.rows(given, rows, method, literals, |row, text| normalized.write(row, text));
                let value = |row| kept(row).then(|| plan.value(given, normalized.bytes(row), row, fits[row]));
                self.digesting.take(plan.kernel, rows, value, sum, self.digested);
            }
            None => {
                let value = |row| {
                    let text = if given.is_null(row) { &[] } else { given.bytes(row) };
                    kept(row).then(|| plan.value(given, text, row, fits[row]))
                };
                self.digesting.take(plan.kernel, rows, value, sum, self.digested);
            }
        }
    }
}

/// The tokens of a chunk.
struct Tokens<'v> {
    plan: &'v Plan,
    tweaks: Option<&'v TweakColumn<'v>>,
    digesting: &'v Digesting<'v>,
    digested: &'v mut Digested,
}

impl Visitor for Tokens<'_> {
    type Output = ();

    fn visit<C: Strings>(&mut self, column: &C, rows: usize) -> Result<(), Failure> {
        let pass = Pass { old: self.plan, new: self.plan, proving: None };
        let mut sum = Sum::default();
        scrubbed(|| {
            pass.open(0, column, rows, self.tweaks, |batch, opened, _, invalid| {
                let tokens = Part::new(column, batch.start);
                let mut misfits = vec![false; if invalid.count() > 0 { batch.len() } else { 0 }];
                for row in invalid.rows() {
                    misfits[row] = true;
                }
                let value = |row: usize| {
                    let is_token = !misfits.get(row).copied().unwrap_or_default();
                    is_token.then(|| (pass.kind(&tokens, opened, row), opened.bytes(row)))
                };
                self.digesting.take(self.plan.kernel, batch.len(), value, &mut sum, self.digested);
                Ok(())
            })
        })?;
        self.digesting.add(&sum);
        Ok(())
    }
}
