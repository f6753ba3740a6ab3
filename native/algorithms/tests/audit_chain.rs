//! The audit log's chain: by definition, and what its verifier finds.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokenkit_algorithms::audit_chain::{
    Batch, BatchRow, ChainKey, Expected, FIRST_LINK, Fault, FaultKind, Hash, Record, RecordRow, Retained, Verifier,
    first_head,
};

const SUBKEY: [u8; 32] = [7; 32];
const CHECK: [u8; 16] = [9; 16];

fn mac(message: &[u8]) -> Hash {
    Hmac::<Sha256>::new_from_slice(&SUBKEY).unwrap().chain_update(message).finalize().into_bytes().into()
}

fn record(at: i64) -> Record<'static> {
    Record { at, actor: b"ada", action: b"tokenize", outcome: b"complete", count: Some(at), ..Record::default() }
}

struct Log {
    batches: Vec<BatchRow>,
    records: Vec<(i64, i64, Record<'static>, Hash)>,
}

/// Batches of 1, 2, 3 ... records, a second between records.
fn log(batches: i64) -> Log {
    let key = ChainKey::new(&SUBKEY);
    let mut log = Log { batches: Vec::new(), records: Vec::new() };
    let (mut link, mut at) = (FIRST_LINK, 0);
    for number in 1..=batches {
        let id = [number as u8; 16];
        let mut head = first_head(&id);
        let first_at = at;
        for position in 1..=number {
            let record = record(at);
            head = key.record(&head, &record, &mut Vec::new());
            log.records.push((number, position, record, head));
            at += 1_000_000;
        }
        let batch = Batch {
            number,
            id,
            written: at,
            first_at,
            last_at: at - 1_000_000,
            count: number,
            last_hash: head,
            key: b"audit".to_vec(),
            key_id: 5,
            check_value: CHECK,
        };
        link = key.link(&link, &batch);
        log.batches.push(BatchRow { batch, link });
    }
    log
}

fn verify(log: &Log, checkpoints: Vec<Expected>, retained: Vec<Retained>) -> Result<Verifier, Fault> {
    let mut verifier = Verifier::new([((5, CHECK), ChainKey::new(&SUBKEY))], checkpoints, retained);
    let head = log.batches.last().map(|row| (row.batch.number, row.link));
    for row in &log.batches {
        verifier.batch(row.clone());
    }
    for (batch, position, record, hash) in &log.records {
        let row = RecordRow { batch: *batch, position: *position, record: Some(*record), hash: Some(*hash) };
        verifier.record(&row)?;
    }
    verifier.finish(head.or(Some((0, FIRST_LINK))))?;
    Ok(verifier)
}

fn found(log: &Log) -> (FaultKind, i64, Option<i64>) {
    let fault = verify(log, Vec::new(), Vec::new()).err().expect("the log was altered");
    (fault.kind, fault.batch, fault.position)
}

/// Every field stands in a record's message with its length, null told from empty; the link is over the whole row.
#[test]
fn hashes_are_those_of_the_contract() {
    let key = ChainKey::new(&SUBKEY);
    let record = Record {
        at: -1,
        actor: b"ada",
        action: b"",
        outcome: b"x",
        object: Some(b""),
        run: None,
        key: Some(b"k"),
        key_id: Some(1),
        count: None,
        reason: None,
        token_hash: Some(&[0xff]),
        detail: Some(b"{}"),
    };
    let mut message = vec![1];
    message.extend([3; 32]);
    message.extend(*b"\x00\x00\x00\x08\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x03ada\x00\x00\x00\x00");
    message.extend(*b"\x00\x00\x00\x01x\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x01k");
    message.extend(*b"\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff");
    message.extend(*b"\x00\x00\x00\x01\xff\x00\x00\x00\x02{}");
    assert_eq!(key.record(&[3; 32], &record, &mut Vec::new()), mac(&message));

    let Log { batches, .. } = log(1);
    let batch = &batches[0].batch;
    let mut message = vec![2];
    message.extend([0; 32]);
    message.extend(1i64.to_be_bytes());
    message.extend([1; 16]);
    for moment in [1_000_000i64, 0, 0] {
        message.extend(moment.to_be_bytes());
    }
    message.extend(*b"\x00\x00\x00\x05audit");
    message.extend(5i64.to_be_bytes());
    message.extend(CHECK);
    message.extend(1i64.to_be_bytes());
    message.extend(batch.last_hash);
    assert_eq!(batches[0].link, mac(&message));
}

/// A log that nobody touched verifies, and so does an empty one.
#[test]
fn a_whole_log_verifies() {
    for batches in [0, 1, 6] {
        let log = log(batches);
        let verifier = verify(&log, Vec::new(), Vec::new()).ok().unwrap();
        assert_eq!(verifier.counts().batches, batches);
        assert_eq!(verifier.counts().records, batches * (batches + 1) / 2);
    }
}

/// Each kind of tampering is found at the record or batch where it begins.
#[test]
fn faults_are_found_where_they_begin() {
    // Records of batch 4 are 6 to 9 in the list.
    let mut edited = log(6);
    edited.records[7].2.actor = b"eve";
    assert_eq!(found(&edited), (FaultKind::Changed, 4, Some(2)));
    let mut forged = log(6);
    forged.records[7].3 = [0; 32];
    assert_eq!(found(&forged), (FaultKind::Changed, 4, Some(2)));
    let mut deleted = log(6);
    deleted.records.remove(7);
    assert_eq!(found(&deleted), (FaultKind::Missing, 4, Some(2)));
    let mut renumbered = log(6);
    renumbered.records.remove(7);
    renumbered.records[7].1 = 2;
    renumbered.records[8].1 = 3;
    assert_eq!(found(&renumbered), (FaultKind::Changed, 4, Some(2)));
    let mut last = log(6);
    last.records.pop();
    assert_eq!(found(&last), (FaultKind::Missing, 6, Some(6)));
    let mut doubled = log(6);
    doubled.records.insert(8, doubled.records[7]);
    assert_eq!(found(&doubled), (FaultKind::Added, 4, Some(2)));
    let mut appended = log(6);
    appended.records.insert(10, (4, 5, record(9), [1; 32]));
    assert_eq!(found(&appended), (FaultKind::Added, 4, Some(5)));
    let mut behind = log(6);
    behind.records.push((7, 1, record(9), [1; 32]));
    assert_eq!(found(&behind), (FaultKind::Added, 7, Some(1)));
    let mut before = log(6);
    before.records.insert(0, (0, 1, record(9), [1; 32]));
    assert_eq!(found(&before), (FaultKind::Added, 0, Some(1)));
}

/// A batch that is taken out is missed, whatever becomes of the others' numbers; each field of a row is held by the link.
#[test]
fn batches_stay_in_their_places() {
    let without = |number: i64| {
        let mut log = log(6);
        log.batches.remove(number as usize - 1);
        log.records.retain(|record| record.0 != number);
        log
    };
    assert_eq!(found(&without(3)), (FaultKind::BatchMissing, 3, None));
    let mut renumbered = without(3);
    renumbered.batches.iter_mut().filter(|row| row.batch.number > 3).for_each(|row| row.batch.number -= 1);
    renumbered.records.iter_mut().filter(|record| record.0 > 3).for_each(|record| record.0 -= 1);
    assert_eq!(found(&renumbered), (FaultKind::BatchChanged, 3, None));
    let edits: [fn(&mut BatchRow); 10] = [
        |row| row.batch.id[0] ^= 1,
        |row| row.batch.written += 1,
        |row| row.batch.first_at += 1,
        |row| row.batch.last_at += 1,
        |row| row.batch.count += 1,
        |row| row.batch.count -= 1,
        |row| row.batch.last_hash[5] ^= 1,
        |row| row.batch.key = b"other".to_vec(),
        |row| row.batch.key.push(0),
        |row| row.link[31] ^= 1,
    ];
    for edit in edits {
        let mut log = log(6);
        edit(&mut log.batches[2]);
        assert_eq!(found(&log), (FaultKind::BatchChanged, 3, None));
    }
    let mut keyless = log(6);
    keyless.batches[2].batch.check_value = [0; 16];
    assert_eq!(found(&keyless), (FaultKind::KeyUnknown, 3, None));
}

/// What is cut off behind leaves a chain that holds, which only a checkpoint tells from the whole.
#[test]
fn checkpoints_tell_truncation() {
    let whole = log(6);
    let expected = |number: usize| Expected {
        number: number as i64,
        link: whole.batches[number - 1].link,
        records: (number * (number + 1) / 2) as i64,
    };
    assert!(verify(&whole, vec![expected(6), expected(2)], Vec::new()).is_ok());
    let short = log(4);
    assert!(verify(&short, vec![expected(4)], Vec::new()).is_ok());
    let fault = verify(&short, vec![expected(5)], Vec::new()).err().unwrap();
    assert_eq!((fault.kind, fault.batch), (FaultKind::Truncated, 5));
    let other = Expected { link: [1; 32], ..expected(3) };
    let fault = verify(&whole, vec![other], Vec::new()).err().unwrap();
    assert_eq!((fault.kind, fault.batch), (FaultKind::Checkpoint, 3));
    let empty = verify(&log(0), vec![expected(1)], Vec::new()).err().unwrap();
    assert_eq!((empty.kind, empty.batch), (FaultKind::Truncated, 1));
}

/// Records may be gone where a statement says so, whole batches at a time, and nowhere else.
#[test]
fn retention_covers_what_its_statement_says() {
    let mut log = log(6);
    // Batches 1 to 3 end with second 5.
    log.records.retain(|record| record.0 > 3);
    let statement = |number, before| vec![Retained { number, before }];
    let verifier = verify(&log, Vec::new(), statement(6, 6_000_000)).ok().unwrap();
    assert_eq!((verifier.counts().removed, verifier.counts().removed_batches), (6, 3));
    for (number, before, batch) in [(2, 6_000_000, 3), (6, 5_000_000, 3), (6, 2_000_000, 2), (0, 9_000_000, 1)] {
        let fault = verify(&log, Vec::new(), statement(number, before)).err().unwrap();
        assert_eq!((fault.kind, fault.batch, fault.position), (FaultKind::Missing, batch, Some(1)));
    }
    log.records.remove(0);
    let fault = verify(&log, Vec::new(), statement(6, 7_000_000)).err().unwrap();
    assert_eq!((fault.kind, fault.batch, fault.position), (FaultKind::Missing, 4, Some(1)));
}

/// A record that was moved within its batch is found, wherever its hash went.
#[test]
fn moved_records_are_found() {
    for with_hash in [true, false] {
        let mut log = log(6);
        let (first, second) = (log.records[7], log.records[9]);
        log.records[7] = (4, 2, second.2, if with_hash { second.3 } else { first.3 });
        log.records[9] = (4, 4, first.2, if with_hash { first.3 } else { second.3 });
        let mut verifier = Verifier::new([((5, CHECK), ChainKey::new(&SUBKEY))], Vec::new(), Vec::new());
        log.batches.iter().for_each(|row| verifier.batch(row.clone()));
        let rows = log.records.iter().map(|(batch, position, record, hash)| RecordRow {
            batch: *batch,
            position: *position,
            record: Some(*record),
            hash: Some(*hash),
        });
        let fault = rows.clone().find_map(|row| verifier.record(&row).err()).unwrap();
        assert_eq!((fault.kind, fault.batch, fault.position), (FaultKind::Changed, 4, Some(2)));
        let moved: Vec<_> = rows.filter(|row| verifier.belongs(&fault, Some(&log.records[7].3), row)).collect();
        assert_eq!(moved.iter().map(|row| (row.batch, row.position)).collect::<Vec<_>>(), [(4, 4)]);
    }
}
