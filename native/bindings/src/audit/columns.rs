//! Records in Arrow columns, on their way into the log.

use crate::failure::{Code, Failure};
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{
    Array, ArrayRef, Int64Array, LargeBinaryArray, LargeStringArray, PrimitiveArray, StructArray, cast::AsArray,
};
use tokenkit_algorithms::audit_chain::{ChainKey, HASH_BYTES, Hash, Record};
use tokenkit_algorithms::scrub::scrubbed;

/// The names of the columns, in their order.
pub const NAMES: [&str; 12] =
    ["at", "actor", "action", "outcome", "object", "run", "key", "key_id", "count", "reason", "token_hash", "detail"];

/// Columns of records.
pub struct Columns<'a> {
    at: &'a PrimitiveArray<TimestampMicrosecondType>,
    texts: [&'a LargeStringArray; 8],
    key_id: &'a Int64Array,
    count: &'a Int64Array,
    token_hash: &'a LargeBinaryArray,
}

fn refused() -> Failure {
    Failure::new(Code::UnsupportedType, "audit records come as a struct of the log's columns, in their order and types")
}

impl<'a> Columns<'a> {
    /// Takes the columns out of a struct array.
    pub fn of(array: &'a ArrayRef) -> Result<Columns<'a>, Failure> {
        let records = array.as_any().downcast_ref::<StructArray>().ok_or_else(refused)?;
        if records.null_count() > 0 || records.column_names() != NAMES {
            return Err(refused());
        }
        let texts = [1, 2, 3, 4, 5, 6, 9, 11].map(|index| records.column(index).as_string_opt::<i64>());
        let number = |index: usize| records.column(index).as_primitive_opt().ok_or_else(refused);
        let found = Columns {
            at: records.column(0).as_primitive_opt().ok_or_else(refused)?,
            texts: match texts {
                [Some(a), Some(b), Some(c), Some(d), Some(e), Some(f), Some(g), Some(h)] => [a, b, c, d, e, f, g, h],
                _ => return Err(refused()),
            },
            key_id: number(7)?,
            count: number(8)?,
            token_hash: records.column(10).as_binary_opt::<i64>().ok_or_else(refused)?,
        };
        let needed: [&dyn Array; 4] = [found.at, found.texts[0], found.texts[1], found.texts[2]];
        if needed.iter().any(|column| column.null_count() > 0) {
            return Err(refused());
        }
        Ok(found)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// One record.
    pub fn record(&self, row: usize) -> Record<'a> {
        let text = |index: usize| {
            let column = self.texts[index];
            column.is_valid(row).then(|| column.value(row).as_bytes())
        };
        Record {
            at: self.at.value(row),
            actor: text(0).unwrap_or_default(),
            action: text(1).unwrap_or_default(),
            outcome: text(2).unwrap_or_default(),
            object: text(3),
            run: text(4),
            key: text(5),
            key_id: self.key_id.is_valid(row).then(|| self.key_id.value(row)),
            count: self.count.is_valid(row).then(|| self.count.value(row)),
            reason: text(6),
            token_hash: self.token_hash.is_valid(row).then(|| self.token_hash.value(row)),
            detail: text(7),
        }
    }

    /// The hash of each record, the first of which follows `head`.
    pub fn chain(&self, key: &ChainKey, head: &Hash) -> Result<LargeBinaryArray, Failure> {
        let mut head = *head;
        let mut scratch = Vec::with_capacity(1024);
        let mut hashes = Vec::with_capacity(self.len() * HASH_BYTES);
        scrubbed(|| {
            for row in 0..self.len() {
                head = key.record(&head, &self.record(row), &mut scratch);
                hashes.extend(head);
            }
        });
        let ends = (0..=self.len()).map(|count| (count * HASH_BYTES) as i64).collect::<Vec<_>>();
        LargeBinaryArray::try_new(arrow_buffer::OffsetBuffer::new(ends.into()), hashes.into(), None)
            .map_err(|_| Failure::new(Code::NativeDefect, "hashes fit no array"))
    }
}
