//! HKDF and HMAC against published vectors, and the contract's subkeys.

mod wycheproof;

use hkdf::Hkdf;
use sha2::Sha256;
use tokenkit_algorithms::derive::{Purpose, check_value, hmac_sha256, is_valid_domain, subkey};
use wycheproof::{bytes, for_each_case, hex};

const VERSION: [u8; 32] = *b"tokenkit published test key 0001";

/// The library that `subkey` stands on gives the right output for every Wycheproof case.
#[test]
fn wycheproof_hkdf_sha256() {
    for_each_case("hkdf_sha256_test.json.gz", |_, case| {
        let salt = bytes(case, "salt");
        let size = case["size"].as_u64().unwrap() as usize;
        let mut output = vec![0; size];
        let result = Hkdf::<Sha256>::new(Some(&salt), &bytes(case, "ikm")).expand(&bytes(case, "info"), &mut output);
        let expected = (case["result"] == "valid").then(|| bytes(case, "okm"));
        assert_eq!(result.ok().map(|()| output), expected, "{}", case["tcId"]);
    });
}

/// Every Wycheproof case of HMAC-SHA-256, truncated tags and changed tags included.
#[test]
fn wycheproof_hmac_sha256() {
    for_each_case("hmac_sha256_test.json.gz", |group, case| {
        let length = group["tagSize"].as_u64().unwrap() as usize / 8;
        let mac = hmac_sha256(&bytes(case, "key"), &bytes(case, "msg"));
        let equal = mac[..length] == bytes(case, "tag");
        assert_eq!(equal, case["result"] == "valid", "{}", case["tcId"]);
    });
}

/// HKDF by RFC 5869 section 2, written out with HMAC, over the contract's `info`.
fn by_definition(version: &[u8; 32], purpose: u8, domain: &str, length: usize) -> Vec<u8> {
    let pseudorandom_key = hmac_sha256(&[0; 32], version);
    let mut output = Vec::new();
    let mut block = Vec::new();
    let mut counter = 1;
    while output.len() < length {
        block.extend_from_slice(b"tokenkit/1\0");
        block.push(purpose);
        block.extend_from_slice(domain.as_bytes());
        block.push(counter);
        block = hmac_sha256(&pseudorandom_key, &block).to_vec();
        output.extend_from_slice(&block);
        counter += 1;
    }
    output.truncate(length);
    output
}

/// Every purpose has its published number, and its subkey is the contract's formula.
#[test]
fn subkeys_follow_the_contract() {
    let purposes = [
        Purpose::AesSiv,
        Purpose::Ff1,
        Purpose::Hmac,
        Purpose::AesGcm,
        Purpose::PrefixPreservingIp,
        Purpose::DateShift,
        Purpose::MetadataMac,
        Purpose::KeyCheck,
        Purpose::RekeyProof,
        Purpose::Rejects,
        Purpose::AuditChain,
        Purpose::AuditTokenHash,
    ];
    let mut seen = Vec::new();
    for (number, purpose) in (1..).zip(purposes) {
        let length = if purpose == Purpose::AesSiv { 64 } else { 32 };
        for domain in ["", "digits", "credit-card", &"x".repeat(64)] {
            let mut key = vec![0; length];
            subkey(&VERSION, purpose, domain, &mut key);
            assert_eq!(key, by_definition(&VERSION, number, domain, length));
            assert!(!seen.contains(&key[..32].to_vec()), "a subkey came twice");
            seen.push(key[..32].to_vec());
        }
    }
}

/// The published FF1 subkey and key-check value, computed by another implementation.
#[test]
fn published_subkey_and_check_value() {
    let mut key = [0; 32];
    subkey(&VERSION, Purpose::Ff1, "digits", &mut key);
    assert_eq!(key[..], hex("496d752f87ece788a939f6dd251cafb530acc0a3a72142200b5c1e6a0fd31ecd"));
    assert_eq!(check_value(&VERSION)[..], hex("fb987b546f745eee3c565f70e7cad984"));
}

/// The key-check value is the start of the 32 bytes under its purpose and the empty domain.
#[test]
fn check_value_is_a_prefix_of_its_subkey() {
    let mut key = [0; 32];
    subkey(&VERSION, Purpose::KeyCheck, "", &mut key);
    assert_eq!(check_value(&VERSION)[..], key[..16]);
}

/// Domains are 1 to 64 characters of a small ASCII set.
#[test]
fn domains_are_checked() {
    for domain in ["a", "credit-card", "us_ssn.v2", "0", &"z".repeat(64)] {
        assert!(is_valid_domain(domain), "{domain}");
    }
    let too_long = "z".repeat(65);
    for domain in ["", "A", "a b", "a/b", "straße", "a\0", "a\n", &too_long] {
        assert!(!is_valid_domain(domain), "{domain:?}");
    }
}
