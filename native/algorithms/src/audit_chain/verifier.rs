//! Walks along a chain, batch by batch and record by record, until something isn't what was written.

use std::collections::{HashMap, VecDeque};

use super::{Batch, CHECK_VALUE_BYTES, ChainKey, FIRST_LINK, Hash, Record, first_head};

/// A batch's row as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRow {
    /// What the link is over.
    pub batch: Batch,
    /// The link that stands there.
    pub link: Hash,
}

/// A record's row as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRow<'a> {
    /// The number of its batch.
    pub batch: i64,
    /// Its place there, counted from 1.
    pub position: i64,
    /// Its fields; None if they can't be what was written, by their types or by their form.
    pub record: Option<Record<'a>>,
    /// The hash that stands there.
    pub hash: Option<Hash>,
}

/// What a checkpoint says of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The batch's number.
    pub number: i64,
    /// Its link.
    pub link: Hash,
    /// The records up to and with it.
    pub records: i64,
}

/// What a retention statement says: records of batches up to `number` that end before `before` may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retained {
    /// The number of the batch at which the statement was made.
    pub number: i64,
    /// Microseconds since 1970.
    pub before: i64,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The record isn't the one that was written there.
    Changed,
    /// A record is missing.
    Missing,
    /// A record stands where none was written.
    Added,
    /// A whole batch is missing.
    BatchMissing,
    /// A batch's row isn't what was written, or not in its place.
    BatchChanged,
    /// A batch names a key that isn't at hand.
    KeyUnknown,
    /// A batch isn't the one that a checkpoint was made of.
    Checkpoint,
    /// The log ends before a checkpoint.
    Truncated,
}

/// The first place where the log isn't what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The batch's number.
    pub batch: i64,
    /// The record's place in the batch; None if the batch itself is meant.
    pub position: Option<i64>,
    /// The time that stands there, or the batch's first one.
    pub at: Option<i64>,
    /// The hash that the record should follow.
    pub head: Option<Hash>,
}

/// What was found to be right so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Batches.
    pub batches: i64,
    /// Records that are there, or were.
    pub records: i64,
    /// Records that retention removed, and their batches.
    pub removed: i64,
    /// Batches whose records retention removed.
    pub removed_batches: i64,
}

struct Current {
    row: BatchRow,
    head: Hash,
    /// How many records were found.
    found: i64,
}

/// Verifies a chain. Rows come in order: batches by number, records by batch and position, and a batch comes before its
/// records.
pub struct Verifier {
    keys: HashMap<(i64, [u8; CHECK_VALUE_BYTES]), ChainKey>,
    checkpoints: VecDeque<Expected>,
    retained: Vec<Retained>,
    waiting: VecDeque<BatchRow>,
    current: Option<Current>,
    link: Hash,
    counts: Counts,
    scratch: Vec<u8>,
}

impl Verifier {
    /// Begins before the first batch.
    pub fn new(
        keys: impl IntoIterator<Item = ((i64, [u8; CHECK_VALUE_BYTES]), ChainKey)>,
        mut checkpoints: Vec<Expected>,
        retained: Vec<Retained>,
    ) -> Verifier {
        checkpoints.sort_by_key(|expected| expected.number);
        Verifier {
            keys: keys.into_iter().collect(),
            checkpoints: checkpoints.into(),
            retained,
            waiting: VecDeque::new(),
            current: None,
            link: FIRST_LINK,
            counts: Counts::default(),
            scratch: Vec::new(),
        }
    }

    /// What was found to be right so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The link of the last batch that was right.
    #[must_use]
    pub fn link(&self) -> Hash {
        self.link
    }

    /// Takes the next batch's row.
    pub fn batch(&mut self, row: BatchRow) {
        self.waiting.push_back(row);
    }

    /// Says that no more records of the batches given so far will come.
    ///
    /// # Errors
    /// The first fault.
    pub fn settle(&mut self) -> Result<(), Fault> {
        loop {
            self.close()?;
            if !self.open()? {
                return Ok(());
            }
        }
    }

    /// Says that nothing more will come, and what the log's head says.
    ///
    /// # Errors
    /// The first fault.
    pub fn finish(&mut self, head: Option<(i64, Hash)>) -> Result<(), Fault> {
        self.settle()?;
        let last = self.counts.batches;
        let missing = |kind| Err(Fault { kind, batch: last.saturating_add(1), position: None, at: None, head: None });
        match head {
            Some((number, _)) if number > last => return missing(FaultKind::BatchMissing),
            Some((number, link)) if number == last && link == self.link => {}
            _ => {
                return Err(Fault { kind: FaultKind::BatchChanged, batch: last, position: None, at: None, head: None });
            }
        }
        if self.checkpoints.is_empty() { Ok(()) } else { missing(FaultKind::Truncated) }
    }

    /// Whether a record of the batch in which a fault was found is the one that should have stood there: it was moved.
    ///
    /// `stored` is the hash that stands at the fault's place. Called in [`crate::scrub::scrubbed`].
    pub fn belongs(&mut self, fault: &Fault, stored: Option<&Hash>, row: &RecordRow<'_>) -> bool {
        let (Some(current), Some(head), Some(record)) = (&self.current, &fault.head, &row.record) else {
            return false;
        };
        let batch = &current.row.batch;
        if row.batch != batch.number || Some(row.position) == fault.position {
            return false;
        }
        let Some(key) = self.keys.get(&(batch.key_id, batch.check_value)) else { return false };
        let hash = key.record(head, record, &mut self.scratch);
        row.hash == Some(hash) || stored == Some(&hash)
    }

    /// Takes the next record's row. Called in [`crate::scrub::scrubbed`], for many rows at once.
    ///
    /// # Errors
    /// The first fault, after which nothing more is to be taken.
    pub fn record(&mut self, row: &RecordRow<'_>) -> Result<(), Fault> {
        loop {
            let at = row.record.map(|record| record.at);
            let fault = |kind, position, head| Fault { kind, batch: row.batch, position: Some(position), at, head };
            let Some(current) = &mut self.current else {
                if self.open()? {
                    continue;
                }
                return Err(fault(FaultKind::Added, row.position, None));
            };
            let batch = &current.row.batch;
            if row.batch < batch.number {
                return Err(fault(FaultKind::Added, row.position, None));
            }
            if row.batch > batch.number {
                self.close()?;
                continue;
            }
            let next = current.found + 1;
            if row.position < next || current.found >= batch.count {
                return Err(fault(FaultKind::Added, row.position, Some(current.head)));
            }
            if row.position > next {
                let at = Some(batch.first_at);
                return Err(Fault { at, ..fault(FaultKind::Missing, next, Some(current.head)) });
            }
            let key = self.keys.get(&(batch.key_id, batch.check_value));
            let hash = match (key, &row.record) {
                (Some(key), Some(record)) => Some(key.record(&current.head, record, &mut self.scratch)),
                _ => None,
            };
            if hash.is_none() || hash != row.hash {
                return Err(fault(FaultKind::Changed, next, Some(current.head)));
            }
            current.head = hash.unwrap_or(current.head);
            current.found = next;
            return Ok(());
        }
    }

    /// Goes to the next batch that waits, if there is one.
    fn open(&mut self) -> Result<bool, Fault> {
        let Some(row) = self.waiting.pop_front() else { return Ok(false) };
        let batch = &row.batch;
        let expected = self.counts.batches + 1;
        let fault = |kind| Fault { kind, batch: batch.number, position: None, at: Some(batch.first_at), head: None };
        if batch.number != expected {
            let kind = if batch.number > expected { FaultKind::BatchMissing } else { FaultKind::BatchChanged };
            let number = if batch.number > expected { expected } else { batch.number };
            return Err(Fault { batch: number, ..fault(kind) });
        }
        let Some(key) = self.keys.get(&(batch.key_id, batch.check_value)) else {
            return Err(fault(FaultKind::KeyUnknown));
        };
        // From here on the row is known to be what was written: count, last hash and times among it.
        if key.link(&self.link, batch) != row.link {
            return Err(fault(FaultKind::BatchChanged));
        }
        let head = first_head(&batch.id);
        self.current = Some(Current { row, head, found: 0 });
        Ok(true)
    }

    /// Ends the batch that is being walked along.
    fn close(&mut self) -> Result<(), Fault> {
        let Some(Current { row, head, found }) = self.current.take() else { return Ok(()) };
        let batch = &row.batch;
        let at = Some(batch.first_at);
        let fault = |kind, position| Fault { kind, batch: batch.number, position, at, head: Some(head) };
        let removed = found == 0 && self.may_be_gone(batch);
        if found < batch.count && !removed {
            return Err(fault(FaultKind::Missing, Some(found + 1)));
        }
        if !removed && head != batch.last_hash {
            return Err(fault(FaultKind::BatchChanged, None));
        }
        self.link = row.link;
        self.counts.batches += 1;
        self.counts.records = self.counts.records.saturating_add(batch.count);
        if removed {
            self.counts.removed = self.counts.removed.saturating_add(batch.count);
            self.counts.removed_batches += 1;
        }
        while let Some(expected) = self.checkpoints.front() {
            if expected.number > batch.number {
                break;
            }
            if expected.number != batch.number || expected.link != row.link || expected.records != self.counts.records {
                return Err(fault(FaultKind::Checkpoint, None));
            }
            self.checkpoints.pop_front();
        }
        Ok(())
    }

    fn may_be_gone(&self, batch: &Batch) -> bool {
        self.retained.iter().any(|retained| batch.number <= retained.number && batch.last_at < retained.before)
    }
}
