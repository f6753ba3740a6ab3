//! Which values didn't fit, and why.

use super::sink::Sink;
use arrow_array::{ArrayRef, StringViewArray, new_null_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::DataType;
use std::sync::{Arc, LazyLock};

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
    /// A number that is negative, or has more digits or another size than the column takes.
    Range,
    /// Separators where the scheme has none.
    Pattern,
    /// Not the spelling of a token.
    Encoding,
    /// Not of the type that the column was declared to have; only whoever reads the column can tell.
    Type,
    /// Nothing that this key and domain made: a sealed token that doesn't authenticate, or the token of a literal.
    Integrity,
    /// The row's tweak is null.
    Tweak,
}

/// Every reason there is.
pub const REASONS: [Reason; 10] = [
    Reason::TooShort,
    Reason::TooLong,
    Reason::Character,
    Reason::CheckDigit,
    Reason::Range,
    Reason::Pattern,
    Reason::Encoding,
    Reason::Type,
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
            Reason::Range => "range",
            Reason::Pattern => "pattern",
            Reason::Encoding => "encoding",
            Reason::Type => "type",
            Reason::Integrity => "integrity",
            Reason::Tweak => "tweak",
        }
    }
}

/// Set beside the reason of a row that has a token nevertheless: a sealed one.
const HAS_TOKEN: u8 = 0x80;

/// The rows of one part that don't fit; costs nothing while there is none.
pub struct Invalid {
    length: usize,
    reasons: Vec<u8>,
    count: usize,
    sealed: usize,
}

impl Invalid {
    /// For a part of `length` rows.
    pub fn new(length: usize) -> Self {
        Invalid { length, reasons: Vec::new(), count: 0, sealed: 0 }
    }

    /// Marks a row; the first reason given for a row stays.
    #[cold]
    pub fn mark(&mut self, row: usize, reason: Reason) {
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

    /// The rows that are marked, in order.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        let reasons = if self.count > 0 { self.reasons.as_slice() } else { &[] };
        reasons.iter().enumerate().filter(|&(_, &reason)| reason != 0).map(|(row, _)| row)
    }

    /// Gives a row that is marked another reason.
    #[cold]
    pub fn correct(&mut self, row: usize, reason: Reason) {
        if let Some(marked) = self.reasons.get_mut(row).filter(|marked| **marked != 0) {
            *marked = reason as u8;
        }
    }

    /// Notes that a row that is marked has a sealed token.
    pub fn seal(&mut self, row: usize) {
        self.reasons[row] |= HAS_TOKEN;
        self.sealed += 1;
    }

    /// Takes a row's mark away.
    pub fn clear(&mut self, row: usize) {
        if let Some(marked) = self.reasons.get_mut(row).filter(|marked| **marked != 0) {
            *marked = 0;
            self.count -= 1;
        }
    }

    /// How many rows didn't fit and have no token.
    pub fn count(&self) -> usize {
        self.count - self.sealed
    }

    /// The reason that left the most rows without a token, and a list of all with their counts.
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
        let sealed = parts.iter().map(|part| part.sealed).sum();
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
        Invalid { length, reasons, count, sealed }
    }

    /// Spreads the reasons of distinct values over the rows that refer to them.
    pub fn spread(&self, keys: impl Iterator<Item = Option<usize>>, length: usize) -> Invalid {
        let mut spread = Invalid::new(length);
        if self.count > 0 {
            spread.reasons = keys.map(|key| key.map_or(0, |key| self.reasons[key])).collect();
            spread.count = spread.reasons.iter().filter(|&&reason| reason != 0).count();
            spread.sealed = spread.reasons.iter().filter(|&&reason| reason & HAS_TOKEN != 0).count();
        }
        spread
    }

    /// The validity of the tokens: what was null stays null, and what doesn't fit becomes null.
    pub fn validity(&self, nulls: Option<&NullBuffer>) -> Option<NullBuffer> {
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        if self.count() == 0 {
            return nulls.cloned();
        }
        let has_token = |row: usize| self.reasons[row] == 0 || self.reasons[row] & HAS_TOKEN != 0;
        let valid = NullBuffer::new(BooleanBuffer::collect_bool(self.length, has_token));
        NullBuffer::union(nulls, Some(&valid))
    }

    /// The reasons as a string-view array, null where the value fitted.
    pub fn reasons(&self) -> ArrayRef {
        if self.count == 0 {
            return no_reasons(self.length);
        }
        let mut inline = [0_u128; REASONS.len() + 1];
        for reason in REASONS {
            let mut view = [0; 16];
            let code = reason.code().as_bytes();
            view[0] = code.len() as u8;
            view[4..4 + code.len()].copy_from_slice(code);
            inline[reason as usize] = u128::from_le_bytes(view);
        }
        let views: Vec<u128> = self.reasons.iter().map(|&reason| inline[usize::from(reason & !HAS_TOKEN)]).collect();
        let marked = NullBuffer::new(BooleanBuffer::collect_bool(self.length, |row| self.reasons[row] != 0));
        // SAFETY: every view is one of the inline ASCII codes above or the empty inline view.
        Arc::new(unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), Arc::new([]), Some(marked)) })
    }
}

/// Rows of the zeros that columns share which have no reason; no streaming batch has more.
const MOST_SHARED: usize = 1 << 16;

/// As many nulls as there are rows: as long as everything fits, a column of reasons takes no memory of its own.
fn no_reasons(length: usize) -> ArrayRef {
    static ZEROS: LazyLock<Buffer> = LazyLock::new(|| Buffer::from_vec(vec![0_u128; MOST_SHARED]));
    if length > MOST_SHARED {
        return new_null_array(&DataType::Utf8View, length);
    }
    let views = ScalarBuffer::new(ZEROS.clone(), 0, length);
    let none = NullBuffer::new(BooleanBuffer::new(ZEROS.clone(), 0, length));
    // SAFETY: zero is the empty inline view.
    Arc::new(unsafe { StringViewArray::new_unchecked(views, Arc::new([]), Some(none)) })
}
