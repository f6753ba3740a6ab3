//! The structure of CSV files against a reader that was written without masks, and against the csv-core crate.

use tokenkit_algorithms::csv_structure::{Dialect, Finder, Malformed, Problem, Structure};

const COMMAS: (u8, Option<u8>) = (b',', Some(b'"'));

fn finders() -> Vec<Finder> {
    [Some(Finder::PORTABLE), Finder::avx2(), Finder::avx512()].into_iter().flatten().collect()
}

/// Records and fields, in one piece.
fn whole(dialect: (u8, Option<u8>), fields: Option<u64>, finder: Finder, data: &[u8]) -> Result<(u64, u64), Malformed> {
    let mut structure = Structure::new(Dialect::new(dialect.0, dialect.1).unwrap(), fields, finder);
    structure.finish(data)?;
    Ok((structure.records(), structure.fields().unwrap_or(0)))
}

/// The same in pieces of changing size, as a caller that keeps the tail would.
fn pieces(dialect: (u8, Option<u8>), data: &[u8], seed: &mut u64, most: usize) -> Result<(u64, u64), Malformed> {
    let mut structure = Structure::new(Dialect::new(dialect.0, dialect.1).unwrap(), None, Finder::best());
    let (mut start, mut end) = (0, 0);
    while end < data.len() {
        end = (end + 1 + random(seed, most)).min(data.len());
        start += structure.feed(&data[start..end])?;
        assert!(start + structure.tail() <= end);
    }
    structure.finish(&data[start..])?;
    Ok((structure.records(), structure.fields().unwrap_or(0)))
}

fn refused(data: &[u8]) -> (u64, Problem) {
    let found: Vec<Malformed> =
        finders().into_iter().map(|finder| whole(COMMAS, None, finder, data).unwrap_err()).collect();
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
    (found[0].line, found[0].problem)
}

fn accepted(data: &[u8]) -> (u64, u64) {
    let found: Vec<_> = finders().into_iter().map(|finder| whole(COMMAS, None, finder, data).unwrap()).collect();
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
    found[0]
}

fn random(seed: &mut u64, below: usize) -> usize {
    // SplitMix64.
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut value = *seed;
    value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((value ^ value >> 31) % below as u64) as usize
}

/// What the module's rules say, a byte at a time: lines and fields, or the line and a letter for the problem.
fn reference((delimiter, quote): (u8, Option<u8>), data: &[u8]) -> Result<(u64, u64), (u64, Problem)> {
    #[derive(PartialEq, Clone, Copy)]
    enum At {
        Start,
        Plain,
        Quoted,
        Closed,
        Return,
    }
    let data = data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data);
    let (mut records, mut expected, mut fields) = (0, None, 1);
    let (mut line, mut record_line, mut quote_line, mut record_start) = (1, 1, 1, 0);
    let mut at = At::Start;
    for index in 0..=data.len() {
        let byte = data.get(index).copied();
        let ends = match (at, byte) {
            (At::Quoted, None) => return Err((quote_line, Problem::UnclosedQuote)),
            (At::Return, Some(b'\n')) => true,
            (At::Return, _) => return Err((record_line, Problem::BareCarriageReturn)),
            (_, None) => record_start < data.len(),
            (At::Quoted, _) => false,
            _ => byte == Some(b'\n'),
        };
        if ends {
            let record = &data[record_start..index];
            let blank = record.is_empty() || record == b"\r";
            if blank && records == 0 {
                return Err((record_line, Problem::BlankStart));
            }
            match expected {
                Some(expected) if expected != fields && blank => {
                    return Err((record_line, Problem::Blank { expected }));
                }
                Some(expected) if expected != fields => {
                    return Err((record_line, Problem::Fields { found: fields, expected }));
                }
                _ => expected = Some(fields),
            }
            if std::str::from_utf8(record).is_err() {
                return Err((record_line, Problem::NotUtf8));
            }
            records += 1;
            fields = 1;
            line += 1;
            record_line = line;
            record_start = index + 1;
            at = At::Start;
            continue;
        }
        let Some(byte) = byte else { break };
        let is_quote = Some(byte) == quote;
        at = match at {
            At::Quoted if is_quote => At::Closed,
            At::Quoted => {
                line += u64::from(byte == b'\n');
                At::Quoted
            }
            At::Closed if is_quote => At::Quoted,
            At::Start if is_quote => {
                quote_line = line;
                At::Quoted
            }
            _ if byte == delimiter => {
                fields += 1;
                At::Start
            }
            _ if byte == b'\r' => At::Return,
            At::Closed => return Err((record_line, Problem::TextAfterQuote)),
            _ if is_quote => return Err((record_line, Problem::StrayQuote)),
            _ => At::Plain,
        };
    }
    Ok((records, expected.unwrap_or(0)))
}

#[test]
fn records_and_fields_are_counted() {
    //! Well-formed files of every notation give their records and fields.
    assert_eq!(accepted(b""), (0, 0));
    assert_eq!(accepted(b"\xEF\xBB\xBF"), (0, 0));
    assert_eq!(accepted(b"a,b\n1,2\n"), (2, 2));
    assert_eq!(accepted(b"a,b\r\n1,2\n3,4"), (3, 2));
    assert_eq!(accepted(b"\xEF\xBB\xBF\"a\",b\n,\n"), (2, 2));
    assert_eq!(accepted(b"a\n\n\r\n1\n"), (4, 1));
    assert_eq!(accepted(b"a,b\n\"x\r\ny\",\"\"\"\"\n\"\",\"\"\"z\""), (3, 2));
    assert_eq!(accepted("\u{e4},\u{1f600}\n\0,\0\n".as_bytes()), (2, 2));
    assert_eq!(whole((b'\t', None), None, Finder::best(), b"\"a\tb\"\n\"\t\"\"\n"), Ok((2, 2)));
    assert_eq!(whole(COMMAS, Some(2), Finder::best(), b"1,2\n"), Ok((1, 2)));
}

#[test]
fn malformed_records_are_refused_with_their_line() {
    //! Each problem is found, in the line where its record starts or its quote opens.
    assert_eq!(refused(b"a,b\n1,2\n1\n"), (3, Problem::Fields { found: 1, expected: 2 }));
    assert_eq!(refused(b"a,b\n\"1\n\",2\n1,2,3"), (4, Problem::Fields { found: 3, expected: 2 }));
    assert_eq!(refused(b"a,b\n\r\n1,2\n"), (2, Problem::Blank { expected: 2 }));
    assert_eq!(refused(b"\na,b\n"), (1, Problem::BlankStart));
    assert_eq!(refused(b"\r\na\n"), (1, Problem::BlankStart));
    assert_eq!(refused(b"a,b\n\"x\ny\",\"\n1,2\n"), (3, Problem::UnclosedQuote));
    assert_eq!(refused(b"a,b\n1,2\nx\"y\",2\n"), (3, Problem::StrayQuote));
    assert_eq!(refused(b"a,b\n1,2\n1,\"x\" \n"), (3, Problem::TextAfterQuote));
    assert_eq!(refused(b"a,b\r1,2\r"), (1, Problem::BareCarriageReturn));
    assert_eq!(refused(b"a,b\n1,2\r\r\n"), (2, Problem::BareCarriageReturn));
    assert_eq!(refused(b"a,b\n1,2\r"), (2, Problem::BareCarriageReturn));
    assert_eq!(refused(b"a,b\n\"\n\",2\n1,\xFF\n1\n"), (4, Problem::NotUtf8));
    assert_eq!(refused(b"a,b\n1,\xC3"), (2, Problem::NotUtf8));
    assert_eq!(refused(b"\xFF\xFEa\0,\0b\0\n\0"), (1, Problem::NotUtf8));
    let given = whole(COMMAS, Some(3), Finder::best(), b"1,2\n").unwrap_err();
    assert_eq!(given, Malformed { line: 1, problem: Problem::Fields { found: 2, expected: 3 } });
}

#[test]
fn a_failure_stays() {
    //! After a refusal nothing is accepted any more.
    let mut structure = Structure::new(Dialect::new(b',', None).unwrap(), None, Finder::best());
    let malformed = structure.feed(b"a\n1,2\n").unwrap_err();
    assert_eq!(structure.feed(b"a\n"), Err(malformed));
    assert_eq!(structure.finish(b""), Err(malformed));
}

#[test]
fn a_record_of_any_length_has_an_end() {
    //! A record of a megabyte is counted, one of more than 256 MiB is refused before it is read whole.
    let long = [b"a,b\n\"".as_slice(), &vec![b'\n'; 1 << 20], b"\",2\n1\n"].concat();
    assert_eq!(refused(&long), ((1 << 20) + 3, Problem::Fields { found: 1, expected: 2 }));
    let endless = vec![b'x'; (256 << 20) + 1];
    let mut structure = Structure::new(Dialect::new(b',', None).unwrap(), None, Finder::best());
    assert_eq!(structure.feed(&endless), Err(Malformed { line: 1, problem: Problem::TooLong }));
    let ended = [&endless[..], b"\n"].concat();
    let mut structure = Structure::new(Dialect::new(b',', None).unwrap(), None, Finder::best());
    assert_eq!(structure.feed(&ended), Err(Malformed { line: 1, problem: Problem::TooLong }));
}

#[test]
fn delimiters_are_ascii() {
    //! What no file can be told apart by is no delimiter and no quote.
    for (delimiter, quote) in [(b'\n', None), (b'\r', None), (0xC3, None), (b',', Some(b',')), (b',', Some(b'\n'))] {
        assert_eq!(Dialect::new(delimiter, quote), None);
    }
}

/// Text that is well-formed more often than not.
fn text(seed: &mut u64, dialect: (u8, Option<u8>)) -> Vec<u8> {
    let quote = dialect.1.unwrap_or(b'q');
    let columns = 1 + random(seed, 4);
    let spoiled = random(seed, 3) == 0;
    let mut data = Vec::new();
    if random(seed, 8) == 0 {
        data.extend(b"\xEF\xBB\xBF");
    }
    for _ in 0..random(seed, 40) {
        let fields = if spoiled && random(seed, 30) == 0 { 1 + random(seed, 5) } else { columns };
        for field in 0..fields {
            if field > 0 {
                data.push(dialect.0);
            }
            if random(seed, 4) == 0 {
                data.push(quote);
                for _ in 0..random(seed, 9) {
                    match random(seed, 6) {
                        0 => data.extend([quote, quote]),
                        1 => data.push(dialect.0),
                        2 => data.push(b'\n'),
                        3 => data.extend(b"\r\n"),
                        4 => data.push(b'\r'),
                        _ => data.extend("\u{e9}".as_bytes()),
                    }
                }
                data.push(quote);
            } else {
                let length = if random(seed, 20) == 0 { 200 } else { 8 };
                data.extend((0..random(seed, length)).map(|_| b'a' + random(seed, 16) as u8));
            }
        }
        data.extend(if random(seed, 3) == 0 { b"\r\n".as_slice() } else { b"\n" });
    }
    if random(seed, 3) == 0 {
        data.pop();
    }
    if spoiled && !data.is_empty() {
        let place = random(seed, data.len());
        data[place] = [quote, dialect.0, b'\n', b'\r', b'x', 0xFF, 0][random(seed, 7)];
    }
    data
}

#[test]
fn random_files_agree_with_a_reader_without_masks() {
    //! Files of random structure, sound and spoiled, give what the rules say, on every path and however they are cut.
    let mut seed = 1;
    let mut sound = 0;
    for round in 0..60_000 {
        let dialect = [COMMAS, COMMAS, (b';', Some(b'\'')), (b'\t', None)][round % 4];
        let data = text(&mut seed, dialect);
        let expected = reference(dialect, &data);
        sound += usize::from(expected.is_ok());
        for finder in finders() {
            let found = whole(dialect, None, finder, &data).map_err(|found| (found.line, found.problem));
            assert_eq!(found, expected, "{finder:?} {:?}", String::from_utf8_lossy(&data));
        }
        let most = [1, 7, 64, 200][round % 3];
        let found = pieces(dialect, &data, &mut seed, most).map_err(|found| (found.line, found.problem));
        assert_eq!(found, expected, "in pieces: {:?}", String::from_utf8_lossy(&data));
    }
    assert!((20_000..55_000).contains(&sound), "{sound}");
}

#[test]
fn random_bytes_never_panic() {
    //! Bytes out of a few, in any order, are accepted or refused as the rules say.
    let mut seed = 2;
    for _ in 0..200_000 {
        let data: Vec<u8> = (0..random(&mut seed, 150)).map(|_| b"\"\",,\n\rx\"\xC3"[random(&mut seed, 9)]).collect();
        let expected = reference(COMMAS, &data);
        for finder in finders() {
            let found = whole(COMMAS, None, finder, &data).map_err(|found| (found.line, found.problem));
            assert_eq!(found, expected, "{finder:?} {:?}", String::from_utf8_lossy(&data));
        }
    }
}

/// The fields of each record as csv-core reads them; blank lines are left out.
fn csv_core_fields((delimiter, quote): (u8, Option<u8>), data: &[u8]) -> Vec<u64> {
    let mut builder = csv_core::ReaderBuilder::new();
    builder.delimiter(delimiter).quoting(quote.is_some()).quote(quote.unwrap_or(b'"'));
    let mut reader = builder.build();
    let (mut output, mut ends, mut found) = (vec![0; data.len() + 1], vec![0; data.len() + 2], Vec::new());
    let (mut rest, mut pending) = (data, 0);
    loop {
        let (result, read, _, fields) = reader.read_record(rest, &mut output, &mut ends);
        rest = &rest[read..];
        pending += fields as u64;
        match result {
            csv_core::ReadRecordResult::Record => found.push(std::mem::take(&mut pending)),
            csv_core::ReadRecordResult::End => return found,
            csv_core::ReadRecordResult::InputEmpty => rest = &[],
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn csv_core_reads_the_same_records() {
    //! Where a file is accepted, the csv-core crate finds as many records and as many fields in each.
    let mut seed = 3;
    for round in 0..60_000 {
        let dialect = [COMMAS, (b';', Some(b'\'')), (b'\t', None)][round % 3];
        let data = text(&mut seed, dialect);
        let Ok((records, fields)) = whole(dialect, None, Finder::best(), &data) else { continue };
        let found = csv_core_fields(dialect, &data);
        assert!(found.iter().all(|&found| found == fields), "{:?}", String::from_utf8_lossy(&data));
        if fields > 1 {
            assert_eq!(found.len() as u64, records, "{:?}", String::from_utf8_lossy(&data));
        } else {
            assert!(found.len() as u64 <= records);
        }
    }
}
