//! Which values didn't fit, and why.

use super::sink::Sink;
use arrow_array::{ArrayRef, StringViewArray, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::DataType;
use std::sync::Arc;

/// Why a value doesn't fit its scheme. The texts are the closed list of reason codes that policies, reports and
/// `try_tokenize` show; each has at most 12 bytes, so that it fits a string view's inline form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Fewer characters than the scheme takes.
    TooShort = 1,
    /// More characters than the scheme takes.
    TooLong,
    /// A character that is neither in the alphabet nor a separator.
    Character,
    /// The check digit doesn't hold.
    CheckDigit,
    /// Separators where the scheme has none.
    Pattern,
    /// Not the spelling of a token.
    Encoding,
    /// A sealed token that doesn't authenticate under this key and domain.
    Integrity,
    /// The row's tweak is null.
    Tweak,
}

/// Every reason there is.
pub const REASONS: [Reason; 8] = [
    Reason::TooShort,
    Reason::TooLong,
    Reason::Character,
    Reason::CheckDigit,
    Reason::Pattern,
    Reason::Encoding,
    Reason::Integrity,
    Reason::Tweak,
];

impl Reason {
    /// The reason code.
    pub fn code(self) -> &'static str {
        match self {
            Reason::TooShort => "too_short",
            Reason::TooLong => "too_long",
            Reason::Character => "character",
            Reason::CheckDigit => "check_digit",
            Reason::Pattern => "pattern",
            Reason::Encoding => "encoding",
            Reason::Integrity => "integrity",
            Reason::Tweak => "tweak",
        }
    }
}

/// The rows of one part that don't fit; costs nothing while there is none.
pub struct Invalid {
    length: usize,
    reasons: Vec<u8>,
    count: usize,
}

impl Invalid {
    /// For a part of `length` rows.
    pub fn new(length: usize) -> Self {
        Invalid { length, reasons: Vec::new(), count: 0 }
    }

    /// Marks a row; the first reason given for a row stays.
    #[cold]
    fn mark(&mut self, row: usize, reason: Reason) {
        if self.reasons.is_empty() {
            self.reasons = vec![0; self.length];
        }
        if self.reasons[row] == 0 {
            self.reasons[row] = reason as u8;
            self.count += 1;
        }
    }

    /// Marks a row and empties it.
    #[cold]
    pub fn refuse<S: Sink>(&mut self, row: usize, reason: Reason, sink: &mut S) {
        sink.clear(row);
        self.mark(row, reason);
    }

    /// How many rows are marked.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The reason that hit the most rows, and a list of all with their counts.
    pub fn summary(&self) -> Option<(Reason, String)> {
        let mut counts: Vec<(Reason, usize)> = REASONS
            .into_iter()
            .map(|reason| (reason, self.reasons.iter().filter(|&&marked| marked == reason as u8).count()))
            .filter(|&(_, count)| count > 0)
            .collect();
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let list: Vec<String> = counts.iter().map(|(reason, count)| format!("{}: {count}", reason.code())).collect();
        counts.first().map(|&(reason, _)| (reason, list.join(", ")))
    }

    /// Joins the rows of consecutive parts.
    pub fn concatenate(parts: Vec<Invalid>) -> Invalid {
        let length = parts.iter().map(|part| part.length).sum();
        let count = parts.iter().map(|part| part.count).sum();
        let mut reasons = Vec::new();
        if count > 0 {
            reasons.reserve_exact(length);
            for part in &parts {
                if part.reasons.is_empty() {
                    reasons.resize(reasons.len() + part.length, 0);
                } else {
                    reasons.extend_from_slice(&part.reasons);
                }
            }
        }
        Invalid { length, reasons, count }
    }

    /// Spreads the reasons of distinct values over the rows that refer to them.
    pub fn spread(&self, keys: impl Iterator<Item = Option<usize>>, length: usize) -> Invalid {
        let mut spread = Invalid::new(length);
        if self.count > 0 {
            spread.reasons = keys.map(|key| key.map_or(0, |key| self.reasons[key])).collect();
            spread.count = spread.reasons.iter().filter(|&&reason| reason != 0).count();
        }
        spread
    }

    /// The validity of the tokens: what was null stays null, and what doesn't fit becomes null.
    pub fn validity(&self, nulls: Option<&NullBuffer>) -> Option<NullBuffer> {
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        if self.count == 0 {
            return nulls.cloned();
        }
        let valid = NullBuffer::new(BooleanBuffer::collect_bool(self.length, |row| self.reasons[row] == 0));
        NullBuffer::union(nulls, Some(&valid))
    }

    /// The reasons as a string-view array, null where the value fitted.
    pub fn reasons(&self) -> ArrayRef {
        if self.count == 0 {
            return new_null_array(&DataType::Utf8View, self.length);
        }
        let mut inline = [0_u128; REASONS.len() + 1];
        for reason in REASONS {
            let mut view = [0; 16];
            let code = reason.code().as_bytes();
            view[0] = code.len() as u8;
            view[4..4 + code.len()].copy_from_slice(code);
            inline[reason as usize] = u128::from_le_bytes(view);
        }
        let views: Vec<u128> = self.reasons.iter().map(|&reason| inline[reason as usize]).collect();
        let marked = NullBuffer::new(BooleanBuffer::collect_bool(self.length, |row| self.reasons[row] != 0));
        // SAFETY: every view is one of the inline ASCII codes above or the empty inline view.
        Arc::new(unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), Arc::new([]), Some(marked)) })
    }
}
