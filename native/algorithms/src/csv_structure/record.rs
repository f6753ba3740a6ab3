//! One record, byte by byte: for the last one, and to say what is wrong with a bad one.

use super::{Dialect, Problem};

/// A well-formed record.
pub struct Record {
    /// Its bytes, line end included.
    pub length: usize,
    /// Its fields.
    pub fields: u64,
    /// Line feeds in it, the one at its end included.
    pub newlines: u64,
    /// Whether there is nothing before the line end.
    pub blank: bool,
}

impl Record {
    /// Whether the record may stand where it does.
    pub fn check(&self, expected: Option<u64>, first: bool) -> Result<(), Problem> {
        if first && self.blank {
            return Err(Problem::BlankStart);
        }
        match expected {
            Some(expected) if expected != self.fields && self.blank => Err(Problem::Blank { expected }),
            Some(expected) if expected != self.fields => Err(Problem::Fields { found: self.fields, expected }),
            _ => Ok(()),
        }
    }
}

/// What stands at the start of some data.
pub enum Step {
    /// A record.
    Record(Record),
    /// A record without an end.
    Incomplete,
    /// Not a record: what is wrong, and how many line feeds after the record's start.
    Malformed {
        /// Line feeds before the place that counts.
        newlines: u64,
        /// What is wrong.
        problem: Problem,
    },
}

/// Reads the record that `data` starts with; `at_end` says that nothing follows.
pub fn next_record(dialect: Dialect, data: &[u8], at_end: bool) -> Step {
    let mut position = 0;
    let mut fields = 1;
    let mut newlines = 0;
    let malformed = |problem| Step::Malformed { newlines: 0, problem };
    loop {
        let quoted = dialect.quote.is_some() && data.get(position).copied() == dialect.quote;
        if quoted {
            let opened = newlines;
            position += 1;
            loop {
                let Some(&byte) = data.get(position) else {
                    return if at_end {
                        Step::Malformed { newlines: opened, problem: Problem::UnclosedQuote }
                    } else {
                        Step::Incomplete
                    };
                };
                position += 1;
                newlines += u64::from(byte == b'\n');
                if Some(byte) == dialect.quote {
                    if data.get(position).copied() != dialect.quote {
                        break;
                    }
                    position += 1;
                }
            }
        } else {
            let meant =
                |byte: u8| byte == dialect.delimiter || byte == b'\n' || byte == b'\r' || Some(byte) == dialect.quote;
            position += data[position..].iter().position(|&byte| meant(byte)).unwrap_or(data.len() - position);
        }
        let ended = |length: usize, newlines: u64| {
            let blank = fields == 1 && !quoted && position == 0;
            Step::Record(Record { length, fields, newlines, blank })
        };
        match data.get(position) {
            None if at_end => return ended(position, newlines),
            None => return Step::Incomplete,
            Some(&byte) if byte == dialect.delimiter => {
                fields += 1;
                position += 1;
            }
            Some(b'\n') => return ended(position + 1, newlines + 1),
            Some(b'\r') => match data.get(position + 1) {
                Some(b'\n') => return ended(position + 2, newlines + 1),
                None if !at_end => return Step::Incomplete,
                _ => return malformed(Problem::BareCarriageReturn),
            },
            Some(_) if quoted => return malformed(Problem::TextAfterQuote),
            Some(_) => return malformed(Problem::StrayQuote),
        }
    }
}
