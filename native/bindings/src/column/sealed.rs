//! Sealed tokens: AES-SIV with one empty associated-data component, behind a version byte and the key version's id,
//! spelled in base64url without padding.

use super::Work;
use super::invalid::{Invalid, Reason};
use super::sink::Sink;
use super::strings::Strings;
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tokenkit_algorithms::ff1::Direction;
use tokenkit_algorithms::siv::Siv;
use zeroize::Zeroizing;

/// Decoding refuses padding and nonzero trailing bits, so that a token has one spelling.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 5;
const SYNTHETIC_IV_BYTES: usize = 16;
const PREFIX_CHARACTERS: usize = 6;
/// String views count bytes in 32 bits.
pub const LONGEST_TEXT: usize = 1 << 30;
const BATCH_ROWS: usize = 128;
/// A batch is closed early when its values grow past this, so that long texts don't pile up.
const BATCH_BYTES: usize = 1 << 18;

/// How text becomes a sealed token.
pub struct Sealed {
    /// Most bytes of a value.
    pub max_length: usize,
    /// The id of the key version, which the token carries.
    pub key_id: u32,
}

impl Sealed {
    fn header(&self) -> [u8; HEADER_BYTES] {
        let id = self.key_id.to_be_bytes();
        [VERSION, id[0], id[1], id[2], id[3]]
    }

    /// Turns every row of a column.
    pub fn run<C: Strings, S: Sink>(
        &self,
        work: &Work<'_, Siv>,
        column: &C,
        rows: usize,
        sink: &mut S,
        invalid: &mut Invalid,
    ) {
        let mut batch = Batch::default();
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
            if let Err(reason) = self.take(work.direction, row, value, &mut batch) {
                invalid.refuse(row, reason, sink);
            }
            if batch.is_full() {
                self.flush(work, &mut batch, |row, turned| write(row, turned, sink, invalid));
            }
        }
        self.flush(work, &mut batch, |row, turned| write(row, turned, sink, invalid));
    }

    /// Adds a value to a batch, or says why it can't be sealed or opened.
    pub fn take(&self, direction: Direction, row: usize, value: &[u8], batch: &mut Batch) -> Result<(), Reason> {
        match direction {
            Direction::Encrypt if value.len() > self.max_length => Err(Reason::TooLong),
            // Opening refuses what is no text, so sealing has to.
            Direction::Encrypt if std::str::from_utf8(value).is_err() => Err(Reason::Encoding),
            Direction::Encrypt => {
                batch.push(row, value);
                Ok(())
            }
            Direction::Decrypt => {
                self.decode(value, &mut batch.bytes)?;
                batch.close_row(row);
                Ok(())
            }
        }
    }

    /// The characters that every token of this key version starts with.
    pub fn prefix(&self) -> [u8; PREFIX_CHARACTERS] {
        let mut prefix = [0; PREFIX_CHARACTERS + 1];
        // Five bytes make seven characters, of which the last one depends on the byte that comes after them.
        let written = BASE64URL.encode_slice(self.header(), &mut prefix);
        debug_assert_eq!(written.ok(), Some(prefix.len()));
        std::array::from_fn(|index| prefix[index])
    }

    /// Appends what a token seals (synthetic IV and ciphertext).
    fn decode(&self, token: &[u8], bytes: &mut Vec<u8>) -> Result<(), Reason> {
        let start = bytes.len();
        if BASE64URL.decode_vec(token, bytes).is_err() {
            bytes.truncate(start);
            return Err(Reason::Encoding);
        }
        let decoded = &bytes[start..];
        let reason = if decoded.len() <= HEADER_BYTES + SYNTHETIC_IV_BYTES || decoded[0] != VERSION {
            Some(Reason::Encoding)
        } else {
            (decoded[..HEADER_BYTES] != self.header()).then_some(Reason::Integrity)
        };
        if let Some(reason) = reason {
            bytes.truncate(start);
            return Err(reason);
        }
        bytes.drain(start..start + HEADER_BYTES);
        Ok(())
    }

    /// Seals or opens a batch, and hands each row what came of it.
    pub fn flush(&self, work: &Work<'_, Siv>, batch: &mut Batch, mut each: impl FnMut(usize, Result<&[u8], Reason>)) {
        let Batch { bytes, ends, rows } = batch;
        let starts = std::iter::once(&0).chain(ends.iter());
        let values: Vec<&[u8]> = starts.zip(ends.iter()).map(|(&start, &end)| &bytes[start..end]).collect();
        match work.direction {
            Direction::Encrypt => {
                let mut sealed = vec![0; bytes.len() + values.len() * SYNTHETIC_IV_BYTES];
                work.key.seal_batch(work.kernel, &[], &values, &mut sealed);
                let mut rest = sealed.as_slice();
                let (mut framed, mut token) = (Vec::new(), String::new());
                for (value, &row) in values.iter().zip(rows.iter()) {
                    let (this, others) = rest.split_at(value.len() + SYNTHETIC_IV_BYTES);
                    rest = others;
                    framed.clear();
                    framed.extend_from_slice(&self.header());
                    framed.extend_from_slice(this);
                    token.clear();
                    BASE64URL.encode_string(&framed, &mut token);
                    each(row as usize, Ok(token.as_bytes()));
                }
            }
            Direction::Decrypt => {
                let mut opened = Zeroizing::new(vec![0; bytes.len() - values.len() * SYNTHETIC_IV_BYTES]);
                let mut authentic = vec![false; values.len()];
                work.key.open_batch(work.kernel, &[], &values, &mut opened, &mut authentic);
                let mut rest = opened.as_slice();
                for ((value, &row), authentic) in values.iter().zip(rows.iter()).zip(authentic) {
                    let (this, others) = rest.split_at(value.len() - SYNTHETIC_IV_BYTES);
                    rest = others;
                    let turned = if !authentic {
                        Err(Reason::Integrity)
                    } else if std::str::from_utf8(this).is_err() {
                        Err(Reason::Encoding)
                    } else {
                        Ok(this)
                    };
                    each(row as usize, turned);
                }
            }
        }
        batch.clear();
    }
}

fn write<S: Sink>(row: usize, turned: Result<&[u8], Reason>, sink: &mut S, invalid: &mut Invalid) {
    match turned {
        Ok(text) => sink.write(row, text),
        Err(reason) => invalid.refuse(row, reason, sink),
    }
}

/// Values that wait to be sealed or opened together.
#[derive(Default)]
pub struct Batch {
    bytes: Zeroizing<Vec<u8>>,
    ends: Vec<usize>,
    rows: Vec<u32>,
}

impl Batch {
    fn push(&mut self, row: usize, value: &[u8]) {
        let size = self.bytes.len() + value.len();
        if size > self.bytes.capacity() {
            // Not left to the vector, which would leave a copy of the values behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(size.max(2 * self.bytes.capacity())));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(value);
        self.close_row(row);
    }

    fn close_row(&mut self, row: usize) {
        self.ends.push(self.bytes.len());
        self.rows.push(row as u32);
    }

    /// Whether it is time to flush.
    pub fn is_full(&self) -> bool {
        self.rows.len() == BATCH_ROWS || self.bytes.len() >= BATCH_BYTES
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.rows.clear();
    }
}
