//! The raw primitives behind `tokenkit.hazmat`: keys as bytes, tweaks as bytes. Nothing else in tokenkit uses them.

use super::arrow::{ArrowArray, import};
use super::exceptions::{detached, raise, raise_class};
use crate::column::{
    Characters, Method, OnInvalid, Output, Plan, Shape, Treatment, TweakColumn, TweakRule, check_type, threads,
};
use crate::failure::{Code, Failure};
use crate::kernel;
use crate::keys::Subkey;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, GenericStringArray, OffsetSizeTrait, StringArray};
use arrow_schema::DataType;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;
use tokenkit_algorithms::aes::AesKey;
use tokenkit_algorithms::alphabet::Alphabet;
use tokenkit_algorithms::ff1::{self, Direction, DomainMinimum, ParameterError, Parameters, Tweak};
use tokenkit_algorithms::scrub::scrubbed;
use tokenkit_algorithms::siv::Siv;
use zeroize::Zeroize;

const LONGEST_VALUE: usize = 65_536;

/// FF1 under raw key bytes.
#[pyclass(frozen, name = "FF1", module = "tokenkit._native")]
pub struct Ff1 {
    key: Arc<Subkey>,
    radix: u32,
    alphabet: Option<String>,
    minimum: DomainMinimum,
    shortest: usize,
}

fn direction(decrypt: bool) -> Direction {
    if decrypt { Direction::Decrypt } else { Direction::Encrypt }
}

fn scheme(message: &str) -> Failure {
    Failure::new(Code::Scheme, message)
}

fn invalid(message: impl Into<String>, reason: &'static str) -> Failure {
    Failure::new(Code::InvalidValues, message).with_reason(reason, 1)
}

impl Ff1 {
    fn make(key: &[u8], radix: Option<u32>, alphabet: Option<String>, small: bool) -> Result<Ff1, Failure> {
        let aes = AesKey::new(key).map_err(|_| scheme("an AES key has 16, 24 or 32 bytes"))?;
        let radix = match (radix, &alphabet) {
            (None, None) => return Err(scheme("FF1 needs a radix or an alphabet")),
            (Some(radix), None) => radix,
            (radix, Some(characters)) => {
                let found = Alphabet::new(characters)
                    .map_err(|_| scheme("an alphabet has 2 to 65536 characters, each once"))?
                    .radix();
                if radix.is_some_and(|radix| radix != found) {
                    return Err(scheme("the radix is not the number of characters in the alphabet"));
                }
                found
            }
        };
        let minimum = if small { DomainMinimum::Small } else { DomainMinimum::Standard };
        let shortest = (2..=LONGEST_VALUE)
            .find(|&length| Parameters::new(radix, length, minimum).is_ok())
            .ok_or_else(|| scheme("a radix is 2 to 65536"))?;
        Ok(Ff1 { key: Arc::new(Subkey::Ff1(aes)), radix, alphabet, minimum, shortest })
    }

    fn aes(&self) -> Result<&AesKey, Failure> {
        match self.key.as_ref() {
            Subkey::Ff1(key) => Ok(key),
            Subkey::AesSiv(_) => Err(Failure::new(Code::NativeDefect, "an FF1 object holds another key")),
        }
    }

    fn turn_numerals(&self, mut numerals: Vec<u16>, tweak: &[u8], direction: Direction) -> Result<Vec<u16>, Failure> {
        let parameters = Parameters::new(self.radix, numerals.len(), self.minimum).map_err(|error| match error {
            ParameterError::DomainTooSmall => Failure::new(
                Code::DomainTooSmall,
                format!("a value of this radix needs at least {} numerals", self.shortest),
            ),
            _ => invalid(format!("a value has at most {LONGEST_VALUE} numerals"), "too_long"),
        })?;
        scrubbed(|| {
            ff1::Ff1::new(self.aes()?, kernel::current(), parameters, Tweak::Shared(tweak))
                .map_err(|_| scheme("a tweak has at most 2^32 - 1 bytes"))?
                .apply(direction, &mut numerals, &[])
                .map_err(|_| invalid("a numeral is not below the radix", "character"))
        })?;
        Ok(numerals)
    }

    fn turn_array(
        &self,
        values: ArrayRef,
        tweak: TweakRule,
        tweaks: Option<ArrayRef>,
        direction: Direction,
    ) -> Result<ArrayRef, Failure> {
        check_type(values.data_type())?;
        refuse_empty(&values)?;
        let alphabet = self.alphabet.clone().ok_or_else(|| scheme("text needs an alphabet: FF1(key, alphabet=...)"))?;
        let characters = Characters::new(Shape {
            alphabet,
            separators: String::new(),
            min_length: self.shortest,
            max_length: LONGEST_VALUE,
            keep_first: 0,
            keep_last: 0,
            check_digit: None,
            minimum: self.minimum,
            tweak,
        })?;
        let plan = Plan {
            method: Method::Characters(characters),
            treatment: Treatment::default(),
            key: Arc::clone(&self.key),
            usage: None,
            direction,
            on_invalid: OnInvalid::Error,
            output: Output::Token,
            kernel: kernel::current(),
            threads: threads::most(),
        };
        let tweaks = match tweaks.as_slice() {
            [] => None,
            chunks => Some(
                TweakColumn::new(chunks)
                    .ok_or_else(|| Failure::new(Code::TweakMismatch, "tweaks are an array of bytes or strings"))?,
            ),
        };
        let mut chunks = plan.run("", &[values], tweaks.as_ref())?;
        chunks.pop().ok_or_else(|| Failure::new(Code::NativeDefect, "a chunk got lost"))
    }
}

/// Columns let empty strings be; the bare algorithm has no value that short.
fn refuse_empty(values: &ArrayRef) -> Result<(), Failure> {
    let empty = match values.data_type() {
        DataType::Utf8 => empty_offsets(values.as_string::<i32>()),
        DataType::LargeUtf8 => empty_offsets(values.as_string::<i64>()),
        DataType::Utf8View => count_empty(values, values.as_string_view().views(), |&view| view as u32 == 0),
        _ => 0,
    };
    if empty == 0 {
        return Ok(());
    }
    Err(Failure::new(Code::InvalidValues, "empty strings are too short for FF1").with_reason("too_short", empty))
}

fn empty_offsets<O: OffsetSizeTrait>(values: &GenericStringArray<O>) -> usize {
    let offsets = values.value_offsets();
    count_empty(values, offsets.iter().zip(&offsets[1..]), |(start, end)| start == end)
}

/// How many rows are empty and not null. A first pass without a branch finds that there is none in most columns.
fn count_empty<T: Copy>(
    values: &dyn Array,
    rows: impl IntoIterator<Item = T, IntoIter: Clone>,
    is_empty: impl Fn(T) -> bool,
) -> usize {
    let rows = rows.into_iter();
    if !rows.clone().fold(false, |any, row| any | is_empty(row)) {
        return 0;
    }
    rows.enumerate().filter(|&(index, _)| values.is_valid(index)).filter(|(_, row)| is_empty(*row)).count()
}

#[pymethods]
impl Ff1 {
    #[new]
    #[pyo3(signature = (key, radix, alphabet, allow_small_domain))]
    fn new(
        py: Python<'_>,
        key: &Bound<'_, PyBytes>,
        radix: Option<u32>,
        alphabet: Option<String>,
        allow_small_domain: bool,
    ) -> PyResult<Self> {
        scrubbed(|| Ff1::make(key.as_bytes(), radix, alphabet, allow_small_domain))
            .map_err(|failure| raise(py, &failure))
    }

    fn numerals(&self, py: Python<'_>, numerals: Vec<u16>, tweak: &[u8], decrypt: bool) -> PyResult<Vec<u16>> {
        detached(py, || self.turn_numerals(numerals, tweak, direction(decrypt)))
    }

    fn text(&self, py: Python<'_>, text: &str, tweak: &[u8], decrypt: bool) -> PyResult<String> {
        detached(py, || {
            let values: ArrayRef = Arc::new(StringArray::from(vec![text]));
            let turned = self.turn_array(values, TweakRule::Raw(tweak.to_vec()), None, direction(decrypt))?;
            Ok(turned.as_string::<i32>().value(0).to_owned())
        })
    }

    #[pyo3(signature = (values, tweak, tweaks, decrypt))]
    fn array(
        &self,
        py: Python<'_>,
        values: &Bound<'_, PyAny>,
        tweak: &[u8],
        tweaks: Option<&Bound<'_, PyAny>>,
        decrypt: bool,
    ) -> PyResult<ArrowArray> {
        let (field, values) = import(values)?;
        let tweaks = tweaks.map(import).transpose()?.map(|(_, tweaks)| tweaks);
        let array = detached(py, || {
            let rule = if tweaks.is_some() { TweakRule::RawColumn } else { TweakRule::Raw(tweak.to_vec()) };
            self.turn_array(values, rule, tweaks, direction(decrypt))
        })?;
        Ok(ArrowArray::new(field, array))
    }

    fn __repr__(&self) -> String {
        format!("<FF1 radix={}>", self.radix)
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(refuse_export(py))
    }
}

fn refuse_export(py: Python<'_>) -> PyErr {
    raise_class(py, "KeyNotExportable", "an object that holds a key can't be pickled or copied", "make it anew")
}

/// AES-SIV (RFC 5297) under raw key bytes.
#[pyclass(frozen, name = "AESSIV", module = "tokenkit._native")]
pub struct AesSiv(Siv);

fn slices<'a>(associated: &'a [Bound<'_, PyBytes>]) -> Vec<&'a [u8]> {
    associated.iter().map(|component| component.as_bytes()).collect()
}

#[pymethods]
impl AesSiv {
    #[new]
    fn new(py: Python<'_>, key: &Bound<'_, PyBytes>) -> PyResult<Self> {
        scrubbed(|| Siv::new(key.as_bytes()))
            .map(AesSiv)
            .map_err(|_| raise(py, &scheme("an AES-SIV key has 32, 48 or 64 bytes")))
    }

    fn encrypt<'py>(
        &self,
        py: Python<'py>,
        plaintext: &[u8],
        associated: Vec<Bound<'py, PyBytes>>,
    ) -> Bound<'py, PyBytes> {
        let sealed = scrubbed(|| self.0.seal(kernel::current(), &slices(&associated), plaintext));
        PyBytes::new(py, &sealed)
    }

    fn decrypt<'py>(
        &self,
        py: Python<'py>,
        sealed: &[u8],
        associated: Vec<Bound<'py, PyBytes>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let opened = scrubbed(|| self.0.open(kernel::current(), &slices(&associated), sealed));
        match opened {
            Ok(mut plaintext) => {
                let bytes = PyBytes::new(py, &plaintext);
                plaintext.zeroize();
                Ok(bytes)
            }
            Err(_) => Err(raise_class(py, "NotAuthentic", "this was not sealed under this key", "check key and data")),
        }
    }

    fn __repr__(&self) -> &'static str {
        "<AESSIV>"
    }

    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(refuse_export(py))
    }
}
