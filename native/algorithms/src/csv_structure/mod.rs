//! The structure of a CSV file, checked before anything reads its values: field counts, quotes, line ends, UTF-8.
//!
//! Readers are lenient, each in its own way: short rows get nulls, stray quotes swallow lines. [`Structure`] accepts only
//! what every reader takes for the same records:
//!
//! - a field without quotes holds no quote and no carriage return; a quoted one holds anything, quotes doubled;
//! - a closing quote is followed by a delimiter or a line end, LF or CRLF; the last record may lack it;
//! - every record has as many fields as the first one;
//! - a blank line is a record with one empty field. The first line is never blank, since readers skip it;
//! - all is UTF-8; a byte-order mark at the start is skipped.
//!
//! Blocks of 64 bytes become bit masks, in which quotes pair up by a prefix XOR; a record at a time is read only where
//! the masks say that something is wrong, to find out what and in which line.

mod blocks;
mod finder;
mod record;

use std::fmt;

pub use finder::Finder;

use blocks::Carry;
use record::{Step, next_record};

/// The longest record that is accepted.
pub const LONGEST_RECORD: usize = 256 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The characters with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    delimiter: u8,
    quote: Option<u8>,
}

impl Dialect {
    /// A delimiter and, where fields may be quoted, a quote: two different ASCII characters, neither CR nor LF.
    #[must_use]
    pub fn new(delimiter: u8, quote: Option<u8>) -> Option<Dialect> {
        let usable = |byte: u8| byte.is_ascii() && byte != b'\r' && byte != b'\n';
        (usable(delimiter) && quote.is_none_or(|quote| usable(quote) && quote != delimiter))
            .then_some(Dialect { delimiter, quote })
    }
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Another number of fields than the first record, or than was asked for.
    Fields {
        /// In this record.
        found: u64,
        /// In the first record, or as asked for.
        expected: u64,
    },
    /// A blank line where a record has several fields.
    Blank {
        /// In the first record, or as asked for.
        expected: u64,
    },
    /// A blank line before the first record.
    BlankStart,
    /// A quoted field that never ends.
    UnclosedQuote,
    /// A quote in a field that doesn't start with one.
    StrayQuote,
    /// A quoted field that goes on after its closing quote.
    TextAfterQuote,
    /// A carriage return without a line feed, outside quotes.
    BareCarriageReturn,
    /// Bytes that aren't UTF-8.
    NotUtf8,
    /// More than [`LONGEST_RECORD`] bytes.
    TooLong,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Problem::Fields { found, expected } => {
                let plural = if *found == 1 { "" } else { "s" };
                return write!(formatter, "a row has {found} field{plural}, the header {expected}");
            }
            Problem::Blank { expected } => {
                return write!(formatter, "a line is blank, the header has {expected} fields");
            }
            Problem::BlankStart => "the first line is blank",
            Problem::UnclosedQuote => "a quoted field is not closed",
            Problem::StrayQuote => "a field has a quote in it but doesn't start with one",
            Problem::TextAfterQuote => "a quoted field goes on after its closing quote",
            Problem::BareCarriageReturn => "a carriage return stands without a line feed",
            Problem::NotUtf8 => "a row is not UTF-8 text",
            Problem::TooLong => "a row is longer than 256 MiB",
        };
        formatter.write_str(text)
    }
}

/// The first record that can't be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The line, from 1, where the record starts; for an unclosed quote the line where it was opened.
    pub line: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// Checks a file that comes in pieces.
///
/// # Examples
///
/// ```
/// use tokenkit_algorithms::csv_structure::{Dialect, Finder, Structure};
///
/// let mut structure = Structure::new(Dialect::new(b',', Some(b'"')).unwrap(), None, Finder::best());
/// assert_eq!(structure.feed(b"a,b\n1,\"2"), Ok(4));
/// assert_eq!(structure.finish(b"1,\"2\n\""), Ok(()));
/// assert_eq!((structure.records(), structure.fields()), (2, Some(2)));
/// ```
pub struct Structure {
    dialect: Dialect,
    finder: Finder,
    fields: Option<u64>,
    /// Where the last piece stopped: what is carried over, and how much of the tail was looked at.
    carry: Carry,
    scanned: usize,
    started: bool,
    failed: Option<Malformed>,
}

impl Structure {
    /// For records of `fields` fields, or of as many as the first one has.
    #[must_use]
    pub fn new(dialect: Dialect, fields: Option<u64>, finder: Finder) -> Structure {
        Structure { dialect, finder, fields, carry: Carry::new(), scanned: 0, started: false, failed: None }
    }

    /// Records so far, the first one included.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.carry.records
    }

    /// Fields in each record; unknown until the first one is complete, unless it was given.
    #[must_use]
    pub fn fields(&self) -> Option<u64> {
        self.carry.fields().or(self.fields)
    }

    /// How many bytes the next piece has to start with again, at least.
    #[must_use]
    pub fn tail(&self) -> usize {
        self.scanned
    }

    /// Checks the next piece and gives the offset behind its last complete record. The next piece has to start there:
    /// what lies behind is given again, with more.
    ///
    /// # Errors
    ///
    /// The first record that can't be accepted; every later call gives the same.
    ///
    /// # Panics
    ///
    /// If the piece is shorter than [`Structure::tail`].
    pub fn feed(&mut self, data: &[u8]) -> Result<usize, Malformed> {
        self.failed.map_or(Ok(()), Err)?;
        let taken = self.take(data);
        self.failed = taken.err();
        taken
    }

    /// Checks the rest, in which the last record may lack its line end.
    ///
    /// # Errors
    ///
    /// As for [`Structure::feed`].
    ///
    /// # Panics
    ///
    /// As for [`Structure::feed`].
    pub fn finish(&mut self, data: &[u8]) -> Result<(), Malformed> {
        let taken = self.feed(data)?;
        let finished = self.take_last(&data[taken..]);
        self.failed = finished.err();
        finished
    }

    fn take(&mut self, data: &[u8]) -> Result<usize, Malformed> {
        assert!(data.len() >= self.scanned, "the tail of the last piece is missing");
        let mut skipped = 0;
        if !self.started {
            if data.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(data) {
                return Ok(0);
            }
            self.started = true;
            skipped = if data.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        }
        let data = &data[skipped..];
        let first_line = self.carry.lines_before_record() + 1;
        self.carry.restart();
        let sound = self.finder.scan(self.dialect, self.fields, &mut self.carry, data, self.scanned);
        let complete = self.carry.record_start();
        self.check_text(&data[..complete], first_line)?;
        if !sound {
            return Err(self.find(&data[complete..]));
        }
        self.scanned = data.len() - complete;
        if self.scanned > LONGEST_RECORD {
            return Err(Malformed { line: self.carry.lines_before_record() + 1, problem: Problem::TooLong });
        }
        Ok(skipped + complete)
    }

    /// The last record, without a line end.
    fn take_last(&mut self, data: &[u8]) -> Result<(), Malformed> {
        if data.is_empty() {
            return Ok(());
        }
        let line = self.carry.lines_before_record() + 1;
        match next_record(self.dialect, data, true) {
            Step::Record(record) => {
                record.check(self.fields(), self.records() == 0).map_err(|problem| Malformed { line, problem })?;
                self.check_text(data, line)?;
                self.carry.finish(record.fields);
                self.scanned = 0;
                Ok(())
            }
            Step::Malformed { newlines, problem } => Err(Malformed { line: line + newlines, problem }),
            Step::Incomplete => unreachable!("at the end, every record is complete or malformed"),
        }
    }

    /// What is wrong with `data`, which starts with a record; the masks have seen that something is.
    fn find(&self, data: &[u8]) -> Malformed {
        let first_line = self.carry.lines_before_record() + 1;
        let (mut start, mut line) = (0, first_line);
        let mut fields = self.fields();
        let mut first = self.records() == 0;
        let malformed = loop {
            match next_record(self.dialect, &data[start..], false) {
                Step::Record(record) => {
                    let too_long = (record.length > LONGEST_RECORD).then_some(Problem::TooLong);
                    if let Some(problem) = record.check(fields, first).err().or(too_long) {
                        break Malformed { line, problem };
                    }
                    fields = Some(record.fields);
                    first = false;
                    line += record.newlines;
                    start += record.length;
                }
                Step::Malformed { newlines, problem } => break Malformed { line: line + newlines, problem },
                Step::Incomplete => unreachable!("the masks saw something wrong that no record has"),
            }
        };
        self.check_text(&data[..start], first_line).err().unwrap_or(malformed)
    }

    /// Whether whole records are UTF-8; else the line where the first one starts that isn't.
    fn check_text(&self, records: &[u8], first_line: u64) -> Result<(), Malformed> {
        if simdutf8::basic::from_utf8(records).is_ok() {
            return Ok(());
        }
        let valid = std::str::from_utf8(records).map_or_else(|error| error.valid_up_to(), str::len);
        let (mut start, mut line) = (0, first_line);
        while let Step::Record(record) = next_record(self.dialect, &records[start..], false) {
            if start + record.length > valid {
                break;
            }
            start += record.length;
            line += record.newlines;
        }
        Err(Malformed { line, problem: Problem::NotUtf8 })
    }
}
