//! The FF1 samples that NIST publishes with SP 800-38G, and what the interface refuses.
//!
//! Source of the samples: NIST, Cryptographic Standards and Guidelines, "Examples with Intermediate
//! Values", FF1samples.pdf (AES-128, AES-192 and AES-256, samples 1 to 9).

mod ff1_support;

use ff1_support::{Random, hex, kernels, naive_ff1, transform_ascii};
use tokenkit_algorithms::aes::{AesKey, InvalidKeyLength};
use tokenkit_algorithms::alphabet::{Alphabet, AlphabetError};
use tokenkit_algorithms::ff1::{
    AsciiFf1, Direction, DomainMinimum, Ff1, NumeralOutOfRange, ParameterError, Parameters, Tweak,
};
use tokenkit_algorithms::kernel::Kernel;

const KEYS: [&str; 3] = [
    "2b7e151628aed2a6abf7158809cf4f3c",
    "2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f",
    "2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94",
];
const TWEAK_10: &str = "39383736353433323130";
const TWEAK_11: &str = "3737373770717273373737";

/// Key, alphabet, tweak, plaintext, ciphertext.
const SAMPLES: [(&str, &str, &str, &str, &str); 9] = [
    (KEYS[0], "0123456789", "", "0123456789", "2433477484"),
    (KEYS[0], "0123456789", TWEAK_10, "0123456789", "6124200773"),
    (KEYS[0], BASE_36, TWEAK_11, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (KEYS[1], "0123456789", "", "0123456789", "2830668132"),
    (KEYS[1], "0123456789", TWEAK_10, "0123456789", "2496655549"),
    (KEYS[1], BASE_36, TWEAK_11, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (KEYS[2], "0123456789", "", "0123456789", "6657667009"),
    (KEYS[2], "0123456789", TWEAK_10, "0123456789", "1001623463"),
    (KEYS[2], BASE_36, TWEAK_11, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
];
const BASE_36: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

#[test]
fn the_samples_of_the_standard_agree() {
    for (number, (key, characters, tweak, plain, cipher)) in (1..).zip(SAMPLES) {
        let key = AesKey::new(&hex(key)).unwrap();
        let tweak = hex(tweak);
        let alphabet = Alphabet::new(characters).unwrap();
        let length = plain.len();
        let parameters = Parameters::new(alphabet.radix(), length, DomainMinimum::Standard).unwrap();
        let numerals = |text: &str| -> Vec<u16> { text.chars().map(|c| alphabet.numeral(c).unwrap()).collect() };
        for kernel in kernels() {
            let ff1 = Ff1::new(&key, kernel, parameters, Tweak::Shared(&tweak)).unwrap();
            let mut value = numerals(plain);
            ff1.apply(Direction::Encrypt, &mut value, &[]).unwrap();
            assert_eq!(value, numerals(cipher), "sample {number}, {kernel:?}");
            ff1.apply(Direction::Decrypt, &mut value, &[]).unwrap();
            assert_eq!(value, numerals(plain), "sample {number}, {kernel:?}");

            let tweak = Tweak::Shared(&tweak);
            let ff1 = AsciiFf1::new(&key, kernel, &alphabet, parameters, tweak).unwrap();
            let [plain, cipher] = [plain.as_bytes(), cipher.as_bytes()];
            let (result, _) = transform_ascii(&ff1, Direction::Encrypt, length, plain, &[]);
            assert_eq!(result, cipher, "sample {number}, {kernel:?}");
            let (result, _) = transform_ascii(&ff1, Direction::Decrypt, length, cipher, &[]);
            assert_eq!(result, plain, "sample {number}, {kernel:?}");
        }
        let oracle = naive_ff1(&key, alphabet.radix(), &tweak, Direction::Encrypt, &numerals(plain));
        assert_eq!(oracle, numerals(cipher), "sample {number}, oracle");
    }
}

#[test]
fn domains_below_the_minimum_are_refused() {
    let standard = |radix, length| Parameters::new(radix, length, DomainMinimum::Standard);
    let small = |radix, length| Parameters::new(radix, length, DomainMinimum::Small);
    assert!(standard(10, 6).is_ok());
    assert_eq!(standard(10, 5), Err(ParameterError::DomainTooSmall));
    assert!(standard(2, 20).is_ok());
    assert_eq!(standard(2, 19), Err(ParameterError::DomainTooSmall));
    assert!(small(10, 2).is_ok());
    assert!(small(2, 7).is_ok());
    assert_eq!(small(2, 6), Err(ParameterError::DomainTooSmall));
    assert_eq!(small(9, 2), Err(ParameterError::DomainTooSmall));
    for radix in [0, 1, 65_537, u32::MAX] {
        assert_eq!(standard(radix, 10), Err(ParameterError::Radix));
    }
    for length in [0, 1, 65_537, usize::MAX] {
        assert_eq!(standard(10, length), Err(ParameterError::Length));
    }
}

#[test]
fn keys_of_other_lengths_are_refused() {
    for length in 0..70 {
        let accepted = AesKey::new(&vec![1; length]).is_ok();
        assert_eq!(accepted, [16, 24, 32].contains(&length));
    }
    assert_eq!(AesKey::new(&[]).unwrap_err(), InvalidKeyLength);
    assert_eq!(format!("{:?}", AesKey::new(&[7; 32]).unwrap()), "AesKey(256 bits)");
}

/// FIPS 197, appendix C, and any number of blocks alike on every kernel.
#[test]
fn the_block_cipher_agrees_on_every_kernel() {
    let ciphers =
        ["69c4e0d86a7b0430d8cdb78070b4c55a", "dda97ca4864cdfe06eaf70a0ec0d7191", "8ea2b7ca516745bfeafc49904b496089"];
    let key_bytes: Vec<u8> = (0..32).collect();
    let mut random = Random(7);
    for (cipher, length) in ciphers.into_iter().zip([16, 24, 32]) {
        let key = AesKey::new(&key_bytes[..length]).unwrap();
        for count in 0..100 {
            let mut blocks: Vec<[u8; 16]> = (0..count).map(|_| random.bytes(16).try_into().unwrap()).collect();
            if let Some(first) = blocks.first_mut() {
                *first = hex("00112233445566778899aabbccddeeff").try_into().unwrap();
            }
            let mut expected = blocks.clone();
            expected.iter_mut().for_each(|block| key.encrypt_block(block));
            for kernel in kernels() {
                let mut result = blocks.clone();
                key.encrypt_blocks(kernel, &mut result);
                assert_eq!(result, expected, "{count} blocks, {kernel:?}");
            }
            assert!(expected.first().is_none_or(|first| first[..] == hex(cipher)));
        }
    }
}

#[test]
fn a_numeral_out_of_range_leaves_everything_as_it_was() {
    let key = AesKey::new(&[1; 32]).unwrap();
    let parameters = Parameters::new(10, 6, DomainMinimum::Standard).unwrap();
    for kernel in kernels() {
        let ff1 = Ff1::new(&key, kernel, parameters, Tweak::Shared(b"")).unwrap();
        let mut numerals = vec![3u16; 600];
        numerals[590] = 10;
        let before = numerals.clone();
        let error = ff1.apply(Direction::Encrypt, &mut numerals, &[]);
        assert_eq!(error, Err(NumeralOutOfRange { index: 590 }));
        assert_eq!(numerals, before);
    }
}

#[test]
fn empty_batches_are_fine() {
    let key = AesKey::new(&[1; 32]).unwrap();
    let alphabet = Alphabet::new("0123456789").unwrap();
    for kernel in kernels() {
        for length in [6, 16, 20, 33, 80] {
            let parameters = Parameters::new(10, length, DomainMinimum::Standard).unwrap();
            for tweak in [Tweak::Shared(b"x"), Tweak::Each { length: 3 }, Tweak::Each { length: 0 }] {
                let ff1 = Ff1::new(&key, kernel, parameters, tweak).unwrap();
                assert_eq!(ff1.apply(Direction::Encrypt, &mut [], &[]), Ok(()));
                let ff1 = AsciiFf1::new(&key, kernel, &alphabet, parameters, tweak).unwrap();
                let mut invalid = Vec::new();
                ff1.apply(Direction::Decrypt, &[], &mut [], &[], &mut invalid);
                assert!(invalid.is_empty());
            }
        }
    }
}

#[test]
fn alphabets_are_checked() {
    assert_eq!(Alphabet::new("").unwrap_err(), AlphabetError::TooShort);
    assert_eq!(Alphabet::new("a").unwrap_err(), AlphabetError::TooShort);
    assert_eq!(Alphabet::new("aba").unwrap_err(), AlphabetError::Duplicate);
    let many = |count: u32| -> String { ('\0'..).take(count as usize).collect() };
    assert_eq!(Alphabet::new(&many(65_537)).unwrap_err(), AlphabetError::TooLong);
    let largest = Alphabet::new(&many(65_536)).unwrap();
    assert_eq!(largest.radix(), 65_536);
    for numeral in [0, 1, 254, 255, 0xd7ff, 0xd800, 65_535] {
        assert_eq!(largest.numeral(largest.character(numeral)), Some(numeral));
    }
    assert_eq!(largest.numeral('\u{10ffff}'), None);
    let greek = Alphabet::new("αβγδ").unwrap();
    assert!(!greek.is_ascii());
    assert_eq!(greek.numeral('γ'), Some(2));
    assert_eq!(greek.numeral('a'), None);

    let key = AesKey::new(&[1; 32]).unwrap();
    let parameters = Parameters::new(4, 20, DomainMinimum::Standard).unwrap();
    let refused = |alphabet: &Alphabet| {
        AsciiFf1::new(&key, Kernel::PORTABLE, alphabet, parameters, Tweak::Shared(b"")).unwrap_err()
    };
    assert_eq!(refused(&greek), ParameterError::AlphabetNotAscii);
    assert_eq!(refused(&Alphabet::new("abc").unwrap()), ParameterError::AlphabetRadix);
}

/// Lengths of several thousand numerals, which no oracle that works by the digit reaches quickly.
#[test]
fn very_long_values_come_back() {
    let mut random = Random(9);
    let key = AesKey::new(&[5; 32]).unwrap();
    for (radix, length) in [(10, 4_096), (62, 2_500), (65_536, 2_500), (65_535, 2_501), (2, 65_536)] {
        let parameters = Parameters::new(radix, length, DomainMinimum::Standard).unwrap();
        let value = random.numerals(radix, length);
        let mut results = Vec::new();
        for kernel in kernels() {
            let ff1 = Ff1::new(&key, kernel, parameters, Tweak::Shared(b"tweak")).unwrap();
            let mut numerals = value.clone();
            ff1.apply(Direction::Encrypt, &mut numerals, &[]).unwrap();
            assert_ne!(numerals, value);
            results.push(numerals.clone());
            ff1.apply(Direction::Decrypt, &mut numerals, &[]).unwrap();
            assert_eq!(numerals, value);
        }
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
