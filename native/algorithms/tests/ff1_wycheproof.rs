//! Every AES-FF1 case of Wycheproof, on every kernel, alone and among random neighbours.

mod ff1_support;
mod wycheproof;

use ff1_support::{Random, kernels, transform_ascii};
use serde_json::Value;
use tokenkit_algorithms::aes::AesKey;
use tokenkit_algorithms::alphabet::Alphabet;
use tokenkit_algorithms::ff1::{AsciiFf1, Direction, DomainMinimum, Ff1, ParameterError, Parameters, Tweak};
use tokenkit_algorithms::kernel::Kernel;

/// Lanes, registers and batches end at none of these counts, or just at them.
const BATCH_SIZES: [usize; 9] = [1, 7, 8, 9, 63, 64, 65, 129, 257];

#[test]
fn strings_of_base_10() {
    check_strings("aes_ff1_base10_test.json.gz");
}

#[test]
fn strings_of_base_16() {
    check_strings("aes_ff1_base16_test.json.gz");
}

#[test]
fn strings_of_base_26() {
    check_strings("aes_ff1_base26_test.json.gz");
}

#[test]
fn strings_of_base_62() {
    check_strings("aes_ff1_base62_test.json.gz");
}

#[test]
fn numerals_of_radix_10() {
    check_lists("aes_ff1_radix10_test.json.gz");
}

#[test]
fn numerals_of_radix_16() {
    check_lists("aes_ff1_radix16_test.json.gz");
}

#[test]
fn numerals_of_radix_256() {
    check_lists("aes_ff1_radix256_test.json.gz");
}

#[test]
fn numerals_of_radix_65536() {
    check_lists("aes_ff1_radix65536_test.json.gz");
}

fn check_strings(file: &str) {
    let mut seed = 0;
    wycheproof::for_each_case(file, |group, case| {
        seed += 1;
        let alphabet = Alphabet::new(group["alphabet"].as_str().unwrap()).unwrap();
        let numerals = |field: &str| -> Option<Vec<u16>> {
            case[field].as_str().unwrap().chars().map(|c| alphabet.numeral(c)).collect()
        };
        let (message, cipher) = (numerals("msg"), numerals("ct"));
        let Some((key, parameters)) =
            accepted(case, alphabet.radix(), message.as_deref(), case["msg"].as_str().unwrap().len())
        else {
            return;
        };
        let (message, cipher) = (message.unwrap(), cipher.unwrap());
        let mut random = Random(seed);
        check_numerals(&key, parameters, case, &message, &cipher, &mut random);
        check_ascii(&key, parameters, case, &alphabet, [&message, &cipher], &mut random);
    });
}

fn check_lists(file: &str) {
    let mut seed = 0;
    wycheproof::for_each_case(file, |group, case| {
        seed += 1;
        let radix = group["radix"].as_u64().unwrap() as u32;
        let numerals = |field: &str| -> Option<Vec<u16>> {
            let list = case[field].as_array().unwrap();
            list.iter().map(|n| n.as_i64().and_then(|n| u16::try_from(n).ok())).collect()
        };
        let message = numerals("msg");
        let length = case["msg"].as_array().unwrap().len();
        let Some((key, parameters)) = accepted(case, radix, message.as_deref(), length) else {
            return;
        };
        let cipher = numerals("ct").unwrap();
        check_numerals(&key, parameters, case, &message.unwrap(), &cipher, &mut Random(seed));
    });
}

/// The key and parameters of a valid case; checks that an invalid one is refused, and a small one
/// under the standard's minimum.
fn accepted(case: &Value, radix: u32, message: Option<&[u16]>, length: usize) -> Option<(AesKey, Parameters)> {
    let flag = case["flags"][0].as_str().unwrap();
    let key = AesKey::new(&wycheproof::bytes(case, "key"));
    let standard = Parameters::new(radix, length, DomainMinimum::Standard);
    let parameters = Parameters::new(radix, length, DomainMinimum::Small);
    let id = &case["tcId"];
    match flag {
        "InvalidKeySize" => assert!(key.is_err(), "{id}"),
        "InvalidMessageSize" => {
            assert!(standard.is_err(), "{id}");
            assert!(parameters.is_err(), "{id}");
        }
        "InvalidPlaintext" => {
            if let (Some(message), Ok(key), Ok(parameters)) = (message, key, parameters) {
                for kernel in kernels() {
                    let ff1 = Ff1::new(&key, kernel, parameters, Tweak::Shared(&[])).unwrap();
                    let mut numerals = message.to_vec();
                    let first = message.iter().position(|&n| u32::from(n) >= radix);
                    for direction in [Direction::Encrypt, Direction::Decrypt] {
                        let error = ff1.apply(direction, &mut numerals, &[]).unwrap_err();
                        assert_eq!(Some(error.index), first, "{id}");
                        assert_eq!(numerals, message, "{id}");
                    }
                }
            }
        }
        _ => {
            assert_eq!(case["result"], "valid");
            match flag {
                "SmallMessageSize" => {
                    assert_eq!(standard.unwrap_err(), ParameterError::DomainTooSmall, "{id}");
                }
                _ => {
                    let size = f64::from(radix).powi(length as i32);
                    assert_eq!(standard.is_ok(), size >= 1e6, "{id}");
                }
            }
            return Some((key.unwrap(), parameters.unwrap()));
        }
    }
    assert_eq!(case["result"], "invalid");
    None
}

fn check_numerals(
    key: &AesKey,
    parameters: Parameters,
    case: &Value,
    message: &[u16],
    cipher: &[u16],
    random: &mut Random,
) {
    let id = &case["tcId"];
    let tweak = wycheproof::bytes(case, "tweak");
    let length = message.len();
    let count = BATCH_SIZES[random.below(BATCH_SIZES.len())];
    let position = random.below(count);
    let mut batch = random.numerals(parameters.radix(), count * length);
    batch[position * length..][..length].copy_from_slice(message);
    for kernel in kernels() {
        let ff1 = Ff1::new(key, kernel, parameters, Tweak::Shared(&tweak)).unwrap();
        let mut value = message.to_vec();
        ff1.apply(Direction::Encrypt, &mut value, &[]).unwrap();
        assert_eq!(value, cipher, "{id} {}", kernel.name());
        ff1.apply(Direction::Decrypt, &mut value, &[]).unwrap();
        assert_eq!(value, message, "{id} {}", kernel.name());

        let mut values = batch.clone();
        ff1.apply(Direction::Encrypt, &mut values, &[]).unwrap();
        assert_eq!(values[position * length..][..length], *cipher, "{id} {}", kernel.name());
        ff1.apply(Direction::Decrypt, &mut values, &[]).unwrap();
        assert_eq!(values, batch, "{id} {}", kernel.name());

        let each = Tweak::Each { length: tweak.len() };
        let mut tweaks = random.bytes(count * tweak.len());
        tweaks[position * tweak.len()..][..tweak.len()].copy_from_slice(&tweak);
        let ff1 = Ff1::new(key, kernel, parameters, each).unwrap();
        ff1.apply(Direction::Encrypt, &mut values, &tweaks).unwrap();
        assert_eq!(values[position * length..][..length], *cipher, "{id} {}", kernel.name());
        ff1.apply(Direction::Decrypt, &mut values, &tweaks).unwrap();
        assert_eq!(values, batch, "{id} {}", kernel.name());
    }
}

fn check_ascii(
    key: &AesKey,
    parameters: Parameters,
    case: &Value,
    alphabet: &Alphabet,
    [message, cipher]: [&[u16]; 2],
    random: &mut Random,
) {
    let id = &case["tcId"];
    let tweak = wycheproof::bytes(case, "tweak");
    let text =
        |numerals: &[u16]| -> Vec<u8> { numerals.iter().map(|&numeral| alphabet.character(numeral) as u8).collect() };
    let (message, cipher) = (text(message), text(cipher));
    let length = message.len();
    let count = BATCH_SIZES[random.below(BATCH_SIZES.len())];
    let position = random.below(count);
    let mut batch = text(&random.numerals(parameters.radix(), count * length));
    batch[position * length..][..length].copy_from_slice(&message);
    let mut tweaks = random.bytes(count * tweak.len());
    tweaks[position * tweak.len()..][..tweak.len()].copy_from_slice(&tweak);
    for kernel in kernels() {
        let name = kernel.name();
        let each = Tweak::Each { length: tweak.len() };
        for (kind, tweaks) in [(Tweak::Shared(&tweak), &[][..]), (each, &tweaks)] {
            let ff1 = AsciiFf1::new(key, kernel, alphabet, parameters, kind).unwrap();
            let encrypted = transform_ascii(&ff1, Direction::Encrypt, length, &batch, tweaks);
            assert_eq!(encrypted.0[position * length..][..length], cipher, "{id} {name}");
            let decrypted = transform_ascii(&ff1, Direction::Decrypt, length, &encrypted.0, tweaks);
            assert_eq!(decrypted.0, batch, "{id} {name}");
            assert!(encrypted.1.is_empty() && decrypted.1.is_empty(), "{id} {name}");
        }
    }
}

/// The strings that Wycheproof calls invalid are refused by the text path as well.
#[test]
fn invalid_strings_are_reported_by_position() {
    for base in ["10", "16", "26", "62"] {
        let file = format!("aes_ff1_base{base}_test.json.gz");
        wycheproof::for_each_case(&file, |group, case| {
            if case["flags"][0] != "InvalidPlaintext" {
                return;
            }
            let alphabet = Alphabet::new(group["alphabet"].as_str().unwrap()).unwrap();
            let text = case["msg"].as_str().unwrap().as_bytes();
            let minimum = DomainMinimum::Small;
            let Ok(parameters) = Parameters::new(alphabet.radix(), text.len(), minimum) else {
                return;
            };
            let key = AesKey::new(&wycheproof::bytes(case, "key")).unwrap();
            for kernel in kernels() {
                refuse(&key, kernel, &alphabet, parameters, text);
            }
        });
    }
}

fn refuse(key: &AesKey, kernel: Kernel, alphabet: &Alphabet, parameters: Parameters, text: &[u8]) {
    let ff1 = AsciiFf1::new(key, kernel, alphabet, parameters, Tweak::Shared(&[])).unwrap();
    let first = alphabet.character(0) as u8;
    let valid = vec![first; text.len()];
    let values = [&valid[..], text, &valid[..]].concat();
    for direction in [Direction::Encrypt, Direction::Decrypt] {
        let (result, invalid) = transform_ascii(&ff1, direction, text.len(), &values, &[]);
        assert_eq!(invalid, [1]);
        assert_eq!(result[text.len()..2 * text.len()], valid);
    }
}
