//! Integers: written with a fixed number of digits, turned as that text, and read back.

use super::characters::TweakColumn;
use super::invalid::{Invalid, Reason};
use super::strings::{Offsets, Strings, Views};
use super::types::Integers;
use super::{Literals, Plan, Treatment, layout};
use crate::failure::{Code, Failure};
use arrow_array::builder::StringViewBuilder;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, GenericStringArray, LargeStringArray, PrimitiveArray, StringViewArray, cast::AsArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use std::sync::Arc;

type Turned = Result<(ArrayRef, Invalid), Failure>;

/// Calls a function for the Arrow type of a [`DataType`].
macro_rules! for_integer_type {
    ($data_type:expr, $function:ident($($argument:expr),*)) => {
        match $data_type {
            DataType::Int8 => $function::<Int8Type>($($argument),*),
            DataType::Int16 => $function::<Int16Type>($($argument),*),
            DataType::Int32 => $function::<Int32Type>($($argument),*),
            DataType::Int64 => $function::<Int64Type>($($argument),*),
            DataType::UInt8 => $function::<UInt8Type>($($argument),*),
            DataType::UInt16 => $function::<UInt16Type>($($argument),*),
            DataType::UInt32 => $function::<UInt32Type>($($argument),*),
            DataType::UInt64 => $function::<UInt64Type>($($argument),*),
            _ => Err(Failure::new(Code::NativeDefect, "an integer type is expected")),
        }
    };
}

/// Turns a column of integers.
pub fn turn(plan: &Plan, integers: &Integers, chunk: &ArrayRef, tweaks: Option<&TweakColumn<'_>>) -> Turned {
    let Some(width) = integers.width else {
        return Err(Failure::new(Code::NativeDefect, "an integer column passed the checks without a width"));
    };
    check_literals(&plan.treatment.literals, width)?;
    let as_strings = plan.token_type(chunk.data_type())? == DataType::Utf8View;
    for_integer_type!(chunk.data_type(), turn_typed(plan, width, as_strings, chunk, tweaks))
}

/// Reads integers out of values that were detokenized from strings.
pub fn read_back(values: &ArrayRef, invalid: Invalid, value_type: &DataType) -> Turned {
    match values.data_type() {
        DataType::Utf8 => read_strings(&Offsets::new(values.as_string::<i32>()), values.len(), invalid, value_type),
        DataType::LargeUtf8 => {
            read_strings(&Offsets::new(values.as_string::<i64>()), values.len(), invalid, value_type)
        }
        _ => read_strings(&Views::new(values.as_string_view()), values.len(), invalid, value_type),
    }
}

/// Numbers as strings (views), and the rows whose numbers are out of range.
pub fn texts(treatment: &Treatment, chunk: &ArrayRef) -> Result<(ArrayRef, Vec<usize>), Failure> {
    let Some(width) = treatment.integers.width else {
        return Err(Failure::new(Code::NativeDefect, "an integer column passed the checks without a width"));
    };
    check_literals(&treatment.literals, width)?;
    for_integer_type!(chunk.data_type(), texts_typed(&treatment.literals, width, chunk))
}

fn texts_typed<T: ArrowPrimitiveType>(
    literals: &Literals,
    width: usize,
    chunk: &ArrayRef,
) -> Result<(ArrayRef, Vec<usize>), Failure>
where
    T::Native: Into<i128>,
{
    let written = write(chunk.as_primitive::<T>(), width, literals)?;
    let texts = string_tokens(&written.text, &written.literals, written.text.nulls().cloned());
    Ok((texts, written.unfit))
}

fn read_strings<C: Strings>(values: &C, rows: usize, invalid: Invalid, value_type: &DataType) -> Turned {
    for_integer_type!(value_type, read_typed(values, rows, invalid))
}

/// A literal of fewer digits would be another writing of a number that has a token.
fn check_literals(literals: &Literals, width: usize) -> Result<(), Failure> {
    if literals.iter().any(|literal| literal.len() < width && literal.iter().all(u8::is_ascii_digit)) {
        return Err(Failure::new(
            Code::Scheme,
            format!("a literal of an integer column is a number of fewer than {width} digits"),
        )
        .with_hint(format!("write it with {width} digits, leading zeros among them")));
    }
    Ok(())
}

/// Writes a number into all of a slot, leading zeros first; it has no more digits than that.
#[inline]
fn write_digits(mut number: u64, slot: &mut [u8]) {
    for digit in slot.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The number that digits stand for; nothing if one of them is none, or the number is above every integer type.
#[inline]
fn read_digits(digits: &[u8]) -> Option<i128> {
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    // 20 digits are below 2^127.
    if digits.is_empty() || digits.len() - zeros > 20 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = &digits[zeros..];
    let (high, low) = digits.split_at(digits.len().saturating_sub(18));
    let number = |digits: &[u8]| digits.iter().fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0'));
    Some(i128::from(number(high)) * 1_000_000_000_000_000_000 + i128::from(number(low)))
}

/// Numbers as text, and the rows that don't fit the width.
struct Written {
    text: LargeStringArray,
    /// Rows whose number is a literal outside the domain.
    literals: Vec<(usize, i128)>,
    /// Rows whose number is out of range.
    unfit: Vec<usize>,
}

fn write<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    width: usize,
    literals: &Literals,
) -> Result<Written, Failure>
where
    T::Native: Into<i128>,
{
    let rows = array.len();
    let size = rows.checked_mul(width).filter(|&size| i64::try_from(size).is_ok());
    let size = size.ok_or_else(|| Failure::new(Code::UnsupportedType, "the column is too long for this width"))?;
    let limit = u32::try_from(width).ok().and_then(|width| 10_u64.checked_pow(width));
    let mut text = vec![b'0'; size];
    let mut written = (Vec::new(), Vec::new());
    for (row, (slot, &value)) in text.chunks_exact_mut(width).zip(array.values()).enumerate() {
        if array.is_null(row) {
            continue;
        }
        let value: i128 = value.into();
        match u64::try_from(value) {
            Ok(number) if limit.is_none_or(|limit| number < limit) => write_digits(number, slot),
            _ if literals.contains(value.to_string().as_bytes()) => written.0.push((row, value)),
            _ => written.1.push(row),
        }
    }
    let (literals, unfit) = written;
    let mut valid = vec![true; if literals.is_empty() && unfit.is_empty() { 0 } else { rows }];
    for &row in literals.iter().map(|(row, _)| row).chain(&unfit) {
        valid[row] = false;
    }
    let valid = (!valid.is_empty()).then(|| NullBuffer::new(BooleanBuffer::from(valid)));
    let nulls = NullBuffer::union(array.nulls(), valid.as_ref());
    let offsets = OffsetBuffer::new((0..=rows).map(|row| (row * width) as i64).collect());
    // SAFETY: every row has `width` ASCII digits.
    let text = unsafe { GenericStringArray::new_unchecked(offsets, Buffer::from_vec(text), nulls) };
    Ok(Written { text, literals, unfit })
}

fn turn_typed<T: ArrowPrimitiveType>(
    plan: &Plan,
    width: usize,
    as_strings: bool,
    chunk: &ArrayRef,
    tweaks: Option<&TweakColumn<'_>>,
) -> Turned
where
    T::Native: Into<i128> + TryFrom<i128>,
{
    let array = chunk.as_primitive::<T>();
    let written = write(array, width, &plan.treatment.literals)?;
    let (tokens, mut invalid) = layout::offsets::<i64, _>(plan, &written.text, &written.text, tweaks)?;
    for row in written.unfit {
        invalid.mark(row, Reason::Range);
    }
    let validity = invalid.validity(array.nulls());
    let tokens = tokens.as_string::<i64>();
    if as_strings {
        return Ok((string_tokens(tokens, &written.literals, validity), invalid));
    }
    let column = Offsets::new(tokens);
    let mut numbers = vec![T::Native::default(); array.len()];
    for (row, number) in numbers.iter_mut().enumerate().filter(|&(row, _)| tokens.is_valid(row)) {
        // The width was checked against the type, so that this can't fail: up to 19 digits are below 2^64.
        let token = column
            .bytes(row)
            .iter()
            .fold(0, |token: u64, digit| token.wrapping_mul(10).wrapping_add(u64::from(digit.wrapping_sub(b'0'))));
        *number = T::Native::try_from(i128::from(token))
            .ok()
            .ok_or_else(|| Failure::new(Code::NativeDefect, "a token of digits doesn't fit the column's type"))?;
    }
    for &(row, _) in &written.literals {
        numbers[row] = array.value(row);
    }
    Ok((Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(numbers), validity)), invalid))
}

/// The tokens as strings, with the literals that the text couldn't hold.
fn string_tokens(tokens: &LargeStringArray, literals: &[(usize, i128)], validity: Option<NullBuffer>) -> ArrayRef {
    if literals.is_empty() {
        let (offsets, values, _) = tokens.clone().into_parts();
        // SAFETY: the parts of an array, with another validity.
        let tokens = unsafe { LargeStringArray::new_unchecked(offsets, values, validity) };
        return Arc::new(StringViewArray::from(&tokens));
    }
    let mut strings = StringViewBuilder::with_capacity(tokens.len());
    let mut literals = literals.iter().peekable();
    for row in 0..tokens.len() {
        if let Some((_, literal)) = literals.next_if(|(literal, _)| *literal == row) {
            strings.append_value(literal.to_string());
        } else if validity.as_ref().is_some_and(|validity| validity.is_null(row)) {
            strings.append_null();
        } else {
            strings.append_value(tokens.value(row));
        }
    }
    Arc::new(strings.finish())
}

fn read_typed<T: ArrowPrimitiveType>(values: &impl Strings, rows: usize, mut invalid: Invalid) -> Turned
where
    T::Native: TryFrom<i128>,
{
    let mut numbers = vec![T::Native::default(); rows];
    let mut nulls = vec![true; rows];
    for (row, number) in numbers.iter_mut().enumerate() {
        if values.is_null(row) {
            nulls[row] = false;
            continue;
        }
        let text = values.bytes(row);
        let found = match text.strip_prefix(b"-") {
            Some(digits) => read_digits(digits).map(|number| -number),
            None => read_digits(text),
        };
        match found.and_then(|found| T::Native::try_from(found).ok()) {
            Some(found) => *number = found,
            None => invalid.mark(row, if text.is_empty() { Reason::TooShort } else { Reason::Range }),
        }
    }
    let nulls = NullBuffer::new(BooleanBuffer::from(nulls));
    let validity = invalid.validity(Some(&nulls));
    Ok((Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(numbers), validity)), invalid))
}
