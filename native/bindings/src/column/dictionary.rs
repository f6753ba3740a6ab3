//! Dictionary (categorical) columns: each distinct value is computed once, and the dictionary is rebuilt from the
//! values in use, since a sliced one still holds the others.

use super::invalid::Invalid;
use crate::failure::{Code, Failure};
use arrow_array::types::ArrowDictionaryKeyType;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray, cast::AsArray,
};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;
use std::collections::HashMap;
use std::sync::Arc;

/// Turns the values that rows refer to; `merging` says whether two values can become one.
pub fn turn<K: ArrowDictionaryKeyType>(
    array: &DictionaryArray<K>,
    merging: bool,
    turn_values: impl FnOnce(&ArrayRef) -> Result<(ArrayRef, Invalid), Failure>,
) -> Result<(ArrayRef, Invalid), Failure> {
    let values = array.values();
    let mut used = vec![false; values.len()];
    for key in array.keys_iter().flatten() {
        used[key] = true;
    }
    // A null value means a null row.
    if let Some(nulls) = values.nulls() {
        for (index, used) in used.iter_mut().enumerate() {
            *used &= nulls.is_valid(index);
        }
    }
    let mut place = vec![usize::MAX; values.len()];
    let mut in_use = Vec::new();
    for (index, _) in used.iter().enumerate().filter(|&(_, &used)| used) {
        place[index] = in_use.len();
        in_use.push(index);
    }
    let taken = take(values, &in_use)?;
    let (mut tokens, invalid) = turn_values(&taken)?;
    // Normalizing makes one value of several writings, and a dictionary holds each value once.
    let merged = merging.then(|| merge(&tokens)).transpose()?;
    if let Some(merged) = &merged {
        tokens = take(&tokens, &merged.first)?;
    }
    let rows = || array.keys_iter().map(|key| key.map(|key| place[key]).filter(|&key| key != usize::MAX));
    let invalid_rows = invalid.spread(rows(), array.len());
    // Keys of values that didn't fit are null, so that no row refers to them.
    let key_of = |key: usize| match &merged {
        Some(merged) => merged.place[key],
        None => Some(key).filter(|&key| tokens.is_valid(key)),
    };
    let keys: PrimitiveArray<K> = rows().map(|key| key.and_then(key_of).and_then(K::Native::from_usize)).collect();
    // SAFETY: every key is below the number of values, which the keys of the input bounded.
    let turned = unsafe { DictionaryArray::new_unchecked(keys, tokens) };
    Ok((Arc::new(turned), invalid_rows))
}

/// The value of each row, as strings.
pub fn expand<K: ArrowDictionaryKeyType>(array: &DictionaryArray<K>) -> Result<ArrayRef, Failure> {
    let values = texts(array.values())?;
    let rows = array.keys_iter().map(|key| key.and_then(|key| values[key]).map(std::str::from_utf8).transpose());
    let rows = rows.collect::<Result<Vec<_>, _>>().map_err(|_| no_strings())?;
    Ok(Arc::new(rows.into_iter().collect::<StringViewArray>()))
}

/// Where each of an array's values stands once every value stands there once.
struct Merged {
    /// The index of each value that is met for the first time.
    first: Vec<usize>,
    /// For each value its place among those, `None` for a null.
    place: Vec<Option<usize>>,
}

fn merge(values: &ArrayRef) -> Result<Merged, Failure> {
    let texts = texts(values)?;
    let mut places = HashMap::new();
    let (mut first, mut place) = (Vec::new(), Vec::with_capacity(texts.len()));
    for (index, value) in texts.into_iter().enumerate() {
        place.push(value.map(|value| {
            *places.entry(value).or_insert_with(|| {
                first.push(index);
                first.len() - 1
            })
        }));
    }
    Ok(Merged { first, place })
}

/// The values' bytes, `None` for a null.
fn texts(values: &ArrayRef) -> Result<Vec<Option<&[u8]>>, Failure> {
    Ok(match values.data_type() {
        DataType::Utf8 => values.as_string::<i32>().iter().map(|text| text.map(str::as_bytes)).collect(),
        DataType::LargeUtf8 => values.as_string::<i64>().iter().map(|text| text.map(str::as_bytes)).collect(),
        DataType::Utf8View => values.as_string_view().iter().map(|text| text.map(str::as_bytes)).collect(),
        _ => return Err(no_strings()),
    })
}

fn no_strings() -> Failure {
    Failure::new(Code::NativeDefect, "a dictionary of another type than strings")
}

fn take(values: &ArrayRef, indices: &[usize]) -> Result<ArrayRef, Failure> {
    Ok(match values.data_type() {
        DataType::Utf8 => {
            let values = values.as_string::<i32>();
            Arc::new(StringArray::from_iter_values(indices.iter().map(|&index| values.value(index))))
        }
        DataType::LargeUtf8 => {
            let values = values.as_string::<i64>();
            Arc::new(LargeStringArray::from_iter_values(indices.iter().map(|&index| values.value(index))))
        }
        DataType::Utf8View => {
            let values = values.as_string_view();
            Arc::new(StringViewArray::from_iter_values(indices.iter().map(|&index| values.value(index))))
        }
        _ => return Err(no_strings()),
    })
}
