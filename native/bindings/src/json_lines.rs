//! What NDJSON lines hold: the keys, the kinds of their values, and what a table can't hold, with its line.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// Digits that every 64-bit float holds.
const SURE_DIGITS: usize = 15;

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Something else than one JSON object.
    NoObject,
    /// One key stands there twice.
    DoubledKey,
    /// Text that no UTF-8 can hold.
    HalfSurrogate,
    /// A key that can't name a column.
    KeyWithoutName,
    /// A key that isn't among the columns that were named.
    UnnamedKey,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Problem::NoObject => "a line is no JSON object",
            Problem::DoubledKey => "an object has the same key twice",
            Problem::HalfSurrogate => "text has one half of a surrogate pair",
            Problem::KeyWithoutName => "an object has a key that is empty or holds a NUL",
            Problem::UnnamedKey => "an object has a key that isn't named",
        })
    }
}

/// A line that can't be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// The line on which something was first seen; none while it's zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct First(u64);

impl First {
    fn see(&mut self, line: u64) {
        if self.0 == 0 {
            self.0 = line;
        }
    }

    /// The line, or zero.
    pub fn line(self) -> u64 {
        self.0
    }
}

/// What the values of one key are.
#[derive(Clone, Debug, Default)]
pub struct Column {
    pub text: First,
    pub integer: First,
    pub fraction: First,
    pub boolean: First,
    pub null: First,
    pub list: First,
    pub object: First,
    /// Integers below zero, above the signed, and above the unsigned 64-bit range.
    pub negative: First,
    pub unsigned: First,
    pub beyond: First,
    /// Minus zero, which only a float has.
    pub negative_zero: First,
    /// Fractions, and integers, that no 64-bit float holds exactly.
    pub inexact_fraction: First,
    pub inexact_integer: First,
    seen_in_row: u64,
}

impl Column {
    fn see(&mut self, value: &str, line: u64) -> Result<(), Problem> {
        match value.as_bytes().first() {
            Some(b'"') => {
                // Escapes are the only way to write what isn't Unicode.
                if value.contains("\\u") && serde_json::from_str::<String>(value).is_err() {
                    return Err(Problem::HalfSurrogate);
                }
                self.text.see(line);
            }
            Some(b'[') => self.list.see(line),
            Some(b'{') => self.object.see(line),
            Some(b't' | b'f') => self.boolean.see(line),
            Some(b'n') => self.null.see(line),
            _ => self.see_number(value, line),
        }
        Ok(())
    }

    fn see_number(&mut self, written: &str, line: u64) {
        let is_long = written.len() > SURE_DIGITS;
        if written.contains(['.', 'e', 'E']) {
            self.fraction.see(line);
            if (is_long || written.contains(['e', 'E'])) && self.inexact_fraction.0 == 0 && !is_exact(written) {
                self.inexact_fraction.see(line);
            }
            return;
        }
        self.integer.see(line);
        if written.starts_with('-') {
            self.negative.see(line);
            if written == "-0" {
                self.negative_zero.see(line);
            }
        }
        if is_long {
            match written.parse::<i128>() {
                Ok(number) if i64::try_from(number).is_ok() => {}
                Ok(number) if u64::try_from(number).is_ok() => self.unsigned.see(line),
                _ => self.beyond.see(line),
            }
            if self.inexact_integer.0 == 0 && !is_exact(written) {
                self.inexact_integer.see(line);
            }
        }
    }
}

/// Whether the nearest 64-bit float, written in the shortest way that names it, is the number itself.
fn is_exact(written: &str) -> bool {
    match written.parse::<f64>() {
        Ok(number) if number.is_finite() => decimal(&format!("{number:e}")) == decimal(written),
        _ => false,
    }
}

/// Sign, significant digits and exponent of a number in JSON's spelling; none if the exponent is out of any range.
fn decimal(written: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = match written.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (written, 0),
    };
    let (is_negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{part}");
    let trimmed = digits.trim_end_matches('0');
    let exponent = exponent.checked_sub(part.len() as i64)?.checked_add((digits.len() - trimmed.len()) as i64)?;
    let significant = trimmed.trim_start_matches('0');
    Some(if significant.is_empty() {
        (is_negative, String::new(), 0)
    } else {
        (is_negative, significant.to_owned(), exponent)
    })
}

/// Looks at lines, one after the other.
#[derive(Default)]
pub struct Lines {
    columns: Vec<(String, Column)>,
    place: HashMap<String, usize>,
    is_closed: bool,
    rows: u64,
}

impl Lines {
    /// Every key is a column, or only those that are named.
    pub fn new(names: Option<Vec<String>>) -> Self {
        let mut lines = Lines { is_closed: names.is_some(), ..Lines::default() };
        for name in names.unwrap_or_default() {
            lines.add(name);
        }
        lines
    }

    /// Rows so far. Lines that hold nothing but blanks are no rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The columns in the order in which they appeared.
    pub fn columns(&self) -> &[(String, Column)] {
        &self.columns
    }

    /// Looks at whole lines, the first of which has the number `first`.
    pub fn feed(&mut self, text: &str, first: u64) -> Result<(), Malformed> {
        for (line, content) in (first..).zip(text.split('\n')) {
            let content = content.trim_matches([' ', '\t', '\r']);
            if content.is_empty() {
                continue;
            }
            self.rows += 1;
            self.row(content, line).map_err(|problem| Malformed { line, problem })?;
        }
        Ok(())
    }

    fn row(&mut self, content: &str, line: u64) -> Result<(), Problem> {
        let Row(entries) = serde_json::from_str(content).map_err(|_| Problem::NoObject)?;
        for (key, value) in entries {
            let index = match self.place.get(key.as_ref()) {
                Some(&index) => index,
                None if self.is_closed => return Err(Problem::UnnamedKey),
                None if key.is_empty() || key.contains('\0') => return Err(Problem::KeyWithoutName),
                None => self.add(key.into_owned()),
            };
            let column = &mut self.columns[index].1;
            if column.seen_in_row == self.rows {
                return Err(Problem::DoubledKey);
            }
            column.seen_in_row = self.rows;
            column.see(value.get(), line)?;
        }
        Ok(())
    }

    fn add(&mut self, name: String) -> usize {
        self.place.insert(name.clone(), self.columns.len());
        self.columns.push((name, Column::default()));
        self.columns.len() - 1
    }
}

/// An object's keys and values, the values as they are written.
struct Row<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Row<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Row<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Row<'de>, M::Error> {
                let mut entries = Vec::new();
                while let Some((Key(key), value)) = map.next_entry()? {
                    entries.push((key, value));
                }
                Ok(Row(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A key, borrowed unless it has escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
