//! Reads the Wycheproof files under tests/vectors/wycheproof.

use std::fs::File;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

/// Calls `check(group, case)` for every case of the file, and fails if it holds fewer or more
/// cases than it says.
pub fn for_each_case(file_name: &str, mut check: impl FnMut(&Value, &Value)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/wycheproof").join(file_name);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let vectors: Value = serde_json::from_reader(GzDecoder::new(file)).expect("a JSON file");
    let mut count = 0;
    for group in vectors["testGroups"].as_array().expect("groups") {
        for case in group["tests"].as_array().expect("cases") {
            check(group, case);
            count += 1;
        }
    }
    assert_eq!(Some(count), vectors["numberOfTests"].as_u64());
}

/// The bytes that the field gives in hexadecimal.
pub fn bytes(case: &Value, field: &str) -> Vec<u8> {
    hex(case[field].as_str().expect("a string of hexadecimal digits"))
}

/// Bytes from hexadecimal digits; blanks are skipped.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
