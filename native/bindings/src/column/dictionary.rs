//! Dictionary (categorical) columns: each distinct value is computed once, and the dictionary is rebuilt from the
//! values in use, since a sliced one still holds the others.

use super::Plan;
use super::invalid::Invalid;
use crate::failure::{Code, Failure};
use arrow_array::types::ArrowDictionaryKeyType;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray, cast::AsArray,
};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;
use std::sync::Arc;

/// Turns the values that rows refer to.
pub fn turn<K: ArrowDictionaryKeyType>(
    plan: &Plan,
    array: &DictionaryArray<K>,
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
    let (tokens, invalid) = plan.turn(&taken, None)?;
    let rows = || array.keys_iter().map(|key| key.map(|key| place[key]).filter(|&key| key != usize::MAX));
    let invalid_rows = invalid.spread(rows(), array.len());
    // Keys of values that didn't fit are null, so that no row refers to them.
    let keys: PrimitiveArray<K> =
        rows().map(|key| key.filter(|&key| tokens.is_valid(key)).and_then(K::Native::from_usize)).collect();
    // SAFETY: every key is below the number of values, which the keys of the input bounded.
    let turned = unsafe { DictionaryArray::new_unchecked(keys, tokens) };
    Ok((Arc::new(turned), invalid_rows))
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
        _ => return Err(Failure::new(Code::NativeDefect, "a dictionary of another type than strings")),
    })
}
