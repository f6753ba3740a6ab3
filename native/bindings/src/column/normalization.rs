//! Writings of one value made alike before it is tokenized.

use super::sink::{Sink, ViewSink};
use super::strings::{Offsets, Strings, Views};
use super::{Literals, Method};
use crate::failure::{Code, Failure};
use arrow_array::{Array, GenericStringArray, OffsetSizeTrait, StringViewArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// White space at both ends goes.
    Trim,
    /// Unicode's composed form.
    Nfc,
    /// Lower case.
    Lower,
    /// White space and punctuation between characters go, unless they are of the alphabet.
    StripSeparators,
}

/// The steps that a policy asks for, always taken in the same order.
pub struct Normalization {
    trim: bool,
    nfc: bool,
    lower: bool,
    strip: bool,
    /// ASCII characters that are taken out.
    stripped: [bool; 128],
}

fn is_separator(character: char) -> bool {
    matches!(character, '-' | '\u{2010}'..='\u{2015}' | '.' | '/' | '_' | '(' | ')') || character.is_whitespace()
}

/// Whether a character is one of the method's alphabet.
fn is_own(method: &Method, character: char) -> bool {
    match method {
        Method::Characters(characters) => characters.has_character(character),
        Method::Sealed(_) => false,
    }
}

impl Normalization {
    /// These steps, before values get to a method; `None` if there is none.
    pub fn new(steps: &[Step], method: &Method) -> Option<Normalization> {
        if steps.is_empty() {
            return None;
        }
        let strip = steps.contains(&Step::StripSeparators);
        let mut stripped = [false; 128];
        for (byte, stripped) in (0_u8..).zip(&mut stripped) {
            let character = char::from(byte);
            *stripped = strip && is_separator(character) && !is_own(method, character);
        }
        Some(Normalization {
            trim: steps.contains(&Step::Trim),
            nfc: steps.contains(&Step::Nfc),
            lower: steps.contains(&Step::Lower),
            strip,
            stripped,
        })
    }

    /// The normalized value, in `text`; one that isn't UTF-8 stays what it is, and is refused later.
    fn apply<'v>(&self, value: &'v [u8], method: &Method, text: &'v mut String) -> &'v [u8] {
        let Ok(mut rest) = std::str::from_utf8(value) else { return value };
        if self.trim {
            rest = rest.trim();
        }
        text.clear();
        if rest.is_ascii() {
            text.push_str(rest);
            if self.lower {
                text.make_ascii_lowercase();
            }
            if self.strip {
                text.retain(|character| !self.stripped[character as usize]);
            }
            return text.as_bytes();
        }
        let rest = self.compose(Cow::Borrowed(rest));
        if self.lower {
            text.push_str(&rest.to_lowercase())
        } else {
            text.push_str(&rest)
        }
        if self.strip {
            text.retain(|character| !is_separator(character) || is_own(method, character));
        }
        // Lower case and what is taken out can bring characters together that have a composed form.
        let composed = match self.compose(Cow::Borrowed(text)) {
            Cow::Owned(composed) => Some(composed),
            Cow::Borrowed(_) => None,
        };
        if let Some(composed) = composed {
            *text = composed;
        }
        text.as_bytes()
    }

    fn compose<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        if !self.nfc || is_nfc_quick(text.chars()) == IsNormalized::Yes {
            return text;
        }
        Cow::Owned(text.nfc().collect())
    }

    /// Hands each row's value to `write`: empty for a null, a literal as it is, else the normalized one.
    pub fn rows<C: Strings>(
        &self,
        column: &C,
        rows: usize,
        method: &Method,
        literals: &Literals,
        mut write: impl FnMut(usize, &[u8]),
    ) {
        let mut text = String::new();
        for row in 0..rows {
            let value = if column.is_null(row) { &[] } else { column.bytes(row) };
            if literals.contains(value) {
                write(row, value);
            } else {
                write(row, self.apply(value, method, &mut text));
            }
        }
    }

    /// The normalized values of a `string` or `large_string` array.
    pub fn offsets<O: OffsetSizeTrait>(
        &self,
        array: &GenericStringArray<O>,
        method: &Method,
        literals: &Literals,
    ) -> Result<GenericStringArray<O>, Failure> {
        let column = Offsets::new(array);
        let mut values = Vec::with_capacity(column.size());
        let mut ends = Vec::with_capacity(array.len() + 1);
        ends.push(0);
        self.rows(&column, array.len(), method, literals, |_, value| {
            values.extend_from_slice(value);
            ends.push(values.len());
        });
        if O::from_usize(values.len()).is_none() {
            return Err(Failure::new(
                Code::UnsupportedType,
                "the normalized values are too long for a string column with 32-bit offsets",
            )
            .with_hint("cast the column to large_string, or hand it over in smaller batches"));
        }
        let offsets = OffsetBuffer::new(ends.into_iter().map(O::usize_as).collect());
        // SAFETY: the offsets stand between whole values of the input, or between texts.
        Ok(unsafe { GenericStringArray::new_unchecked(offsets, Buffer::from_vec(values), array.nulls().cloned()) })
    }

    /// The normalized values of a `string_view` array.
    pub fn views(&self, array: &StringViewArray, method: &Method, literals: &Literals) -> StringViewArray {
        let mut views = vec![0; array.len()];
        let mut sink = ViewSink::new(&mut views);
        self.rows(&Views::new(array), array.len(), method, literals, |row, value| sink.write(row, value));
        let buffers = sink.finish();
        // SAFETY: the sink wrote every view, over whole values of the input or texts in its own buffers.
        unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), buffers.into(), array.nulls().cloned()) }
    }
}
