//! Both kernels against FF1 as the standard writes it, over random and boundary parameters.

mod ff1_support;

use ff1_support::{Random, kernels, naive_ff1, small, transform, transform_ascii};
use tokenkit_algorithms::aes::AesKey;
use tokenkit_algorithms::alphabet::Alphabet;
use tokenkit_algorithms::ff1::{AsciiFf1, Direction, DomainMinimum, Parameters, Tweak};

const RADICES: [u32; 18] = [2, 3, 4, 10, 16, 26, 36, 62, 64, 65, 127, 128, 255, 256, 257, 1_000, 65_535, 65_536];
const TWEAK_LENGTHS: [usize; 14] = [0, 1, 3, 7, 8, 10, 11, 12, 15, 16, 17, 32, 33, 100];
/// Around a group of eight values, and around a batch of 256.
const COUNTS: [usize; 11] = [1, 2, 7, 8, 9, 15, 63, 130, 255, 256, 263];
const DIRECTIONS: [Direction; 2] = [Direction::Encrypt, Direction::Decrypt];

/// One batch through every kernel; a few of its values through the oracle as well.
fn check(radix: u32, length: usize, random: &mut Random) {
    let Ok(parameters) = Parameters::new(radix, length, DomainMinimum::Small) else {
        return;
    };
    let key_length = [16, 24, 32][random.below(3)];
    let key_bytes = random.bytes(key_length);
    let key = AesKey::new(&key_bytes).unwrap();
    let count = COUNTS[random.below(if length > 100 { 5 } else { COUNTS.len() })];
    let mut values = random.numerals(radix, count * length);
    values[..length].fill(0);
    if count > 1 {
        values[length..2 * length].fill((radix - 1) as u16);
    }
    let tweak_length = TWEAK_LENGTHS[random.below(TWEAK_LENGTHS.len())];
    let each = random.below(2) == 0;
    let tweaks = random.bytes(if each { count * tweak_length } else { tweak_length });
    let (tweak, each_tweaks) = match each {
        true => (Tweak::Each { length: tweak_length }, &tweaks[..]),
        false => (Tweak::Shared(&tweaks), &[][..]),
    };
    let some_lanes: Vec<usize> =
        [0, 1, count - 1, random.below(count), random.below(count)].into_iter().filter(|&lane| lane < count).collect();
    for direction in DIRECTIONS {
        let what = || format!("radix {radix}, length {length}, tweak {tweak_length}, {direction:?}");
        let expected: Vec<Vec<u16>> = some_lanes
            .iter()
            .map(|&lane| {
                let tweak = if each { &tweaks[lane * tweak_length..][..tweak_length] } else { &tweaks };
                naive_ff1(&key, radix, tweak, direction, &values[lane * length..][..length])
            })
            .collect();
        let mut by_kernel = Vec::new();
        for kernel in kernels() {
            let result = transform(&key_bytes, kernel, parameters, tweak, direction, &values, each_tweaks);
            for (&lane, expected) in some_lanes.iter().zip(&expected) {
                let value = &result[lane * length..][..length];
                assert_eq!(value, expected, "lane {lane}, {}, {}", kernel.name(), what());
            }
            by_kernel.push(result);
        }
        assert!(by_kernel.windows(2).all(|pair| pair[0] == pair[1]), "{}", what());
    }
}

#[test]
fn random_parameters_agree_with_the_standard() {
    let mut random = Random(1);
    for _ in 0..1_500 {
        let radix = match random.below(3) {
            0 => 2 + random.below(65_535) as u32,
            1 => 2 + random.below(127) as u32,
            _ => RADICES[random.below(RADICES.len())],
        };
        let length = 2 + random.below(64);
        check(radix, length, &mut random);
    }
}

#[test]
fn long_values_agree_with_the_standard() {
    let mut random = Random(2);
    for radix in RADICES {
        for _ in 0..4 {
            let length = 64 + random.below(400);
            check(radix, length, &mut random);
        }
    }
    // Beyond 512 numerals, byte 7 of P wraps.
    for (radix, length) in [(10, 511), (10, 512), (10, 513), (62, 1_025), (65_535, 600)] {
        check(radix, length, &mut random);
    }
}

/// b on both sides of what the paths are chosen by, and of a whole block.
#[test]
fn boundaries_of_the_half_size_agree_with_the_standard() {
    let mut random = Random(3);
    for radix in RADICES {
        let bits = f64::from(radix).log2();
        for bytes in [4.0, 8.0, 12.0, 15.0, 16.0, 31.0, 32.0, 47.0, 48.0, 63.0, 64.0, 65.0] {
            let half = (8.0 * bytes / bits) as usize;
            for length in (2 * half).saturating_sub(3)..=2 * half + 4 {
                if length >= 2 {
                    check(radix, length, &mut random);
                }
            }
        }
    }
}

/// Halves whose modulus is next to a power of two that some representation ends at.
#[test]
fn moduli_next_to_powers_of_two_agree_with_the_standard() {
    let mut random = Random(4);
    for bits in [12u32, 13, 16, 32, 44, 45, 48, 52, 64, 76, 77, 96] {
        for half in 1..=bits {
            let root = 2f64.powf(f64::from(bits) / f64::from(half)).round().min(65_536.0) as u32;
            for radix in root - 1..=root + 1 {
                for length in [2 * half, (2 * half).saturating_sub(1), 2 * half + 1] {
                    if (2..=65_536).contains(&radix) && length >= 2 {
                        check(radix, length as usize, &mut random);
                    }
                }
            }
        }
    }
}

/// Long halves: every b from 11 to 72, so every count of limbs and of blocks, and the lengths around
/// each, which are even and odd.
#[test]
fn every_size_of_long_halves_agrees_with_the_standard() {
    let mut random = Random(7);
    for bytes in 11..=72u32 {
        for radix in [RADICES[random.below(RADICES.len())], 2 + random.below(65_535) as u32, 62] {
            let half = (f64::from(8 * bytes) / f64::from(radix).log2()) as usize;
            for length in [2 * half - 1, 2 * half, 2 * half + 1] {
                check(radix, length, &mut random);
            }
        }
    }
}

/// Long halves whose modulus is next to a power of two that a limb, a word or a block ends at.
#[test]
fn long_moduli_next_to_powers_of_two_agree_with_the_standard() {
    let mut random = Random(8);
    for bits in [97u32, 104, 112, 128, 156, 160, 192, 208, 256, 260, 320, 364, 384, 416, 448, 468, 511, 512, 520] {
        for half in [bits, bits / 2, bits / 3, bits / 4, bits / 5, bits / 7, bits / 8, bits / 13, bits / 16] {
            let root = 2f64.powf(f64::from(bits) / f64::from(half)).round().min(65_536.0) as u32;
            for radix in root - 1..=root + 1 {
                for length in [2 * half - 1, 2 * half, 2 * half + 1] {
                    if (2..=65_536).contains(&radix) {
                        check(radix, length as usize, &mut random);
                    }
                }
            }
        }
    }
}

/// Long values in every count that fills groups and batches, or just doesn't.
#[test]
fn batches_of_long_values_agree_with_the_standard() {
    let mut random = Random(9);
    for (radix, length) in [(62, 40), (62, 41), (10, 64), (128, 29), (36, 195)] {
        let parameters = small(radix, length);
        let key_bytes = random.bytes(32);
        let key = AesKey::new(&key_bytes).unwrap();
        for count in [1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 255, 256, 257] {
            let mut values = random.numerals(radix, count * length);
            values[(count - 1) * length..].fill((radix - 1) as u16);
            let tweak_length = TWEAK_LENGTHS[random.below(TWEAK_LENGTHS.len())];
            let tweaks = random.bytes(count * tweak_length);
            let tweak = Tweak::Each { length: tweak_length };
            for direction in DIRECTIONS {
                let mut expected = Vec::new();
                for (lane, value) in values.chunks(length).enumerate() {
                    let tweak = &tweaks[lane * tweak_length..][..tweak_length];
                    expected.extend(naive_ff1(&key, radix, tweak, direction, value));
                }
                for kernel in kernels() {
                    let result = transform(&key_bytes, kernel, parameters, tweak, direction, &values, &tweaks);
                    assert_eq!(result, expected, "radix {radix}, {count} values, {direction:?}, {kernel:?}");
                }
            }
        }
    }
}

/// Text of every alphabet size, with halves of up to 66 bytes.
#[test]
fn long_text_agrees_with_numerals() {
    let mut random = Random(10);
    for radix in (2..=128).chain([62; 40]) {
        let longest = (66.0 * 8.0 / f64::from(radix).log2()) as usize;
        let shortest = (12.0 * 8.0 / f64::from(radix).log2()) as usize;
        let length = 2 * shortest + random.below(2 * (longest - shortest));
        let alphabet = random_alphabet(radix, &mut random);
        check_text(&alphabet, length, &mut random);
    }
}

/// An alphabet of `radix` ASCII characters in a random order.
fn random_alphabet(radix: u32, random: &mut Random) -> Alphabet {
    let mut characters: Vec<u8> = (0..128).collect();
    for index in 0..128 {
        characters.swap(index, index + random.below(128 - index));
    }
    let text: String = characters[..radix as usize].iter().map(|&byte| char::from(byte)).collect();
    Alphabet::new(&text).unwrap()
}

#[test]
fn text_agrees_with_numerals_in_every_alphabet_size_and_length() {
    let mut random = Random(5);
    let mut cases: Vec<(u32, usize)> = (2..=128).map(|radix| (radix, 2 + radix as usize % 39)).collect();
    for radix in [2, 3, 10, 36, 45, 46, 62, 64, 83, 84, 90, 91, 127, 128] {
        cases.extend((2..=40).map(|length| (radix, length)));
    }
    for (radix, length) in cases {
        if u64::from(radix).saturating_pow(length as u32) < 100 {
            continue;
        }
        let digits = Alphabet::new("0123456789").unwrap();
        let alphabet = match radix {
            10 if random.below(2) == 0 => digits,
            _ => random_alphabet(radix, &mut random),
        };
        check_text(&alphabet, length, &mut random);
    }
}

fn check_text(alphabet: &Alphabet, length: usize, random: &mut Random) {
    let radix = alphabet.radix();
    let parameters = small(radix, length);
    let key_length = [16, 24, 32][random.below(3)];
    let key_bytes = random.bytes(key_length);
    let key = AesKey::new(&key_bytes).unwrap();
    let count = COUNTS[random.below(COUNTS.len())];
    let mut numerals = random.numerals(radix, count * length);
    numerals[..length].fill((radix - 1) as u16);
    if count > 1 {
        numerals[length..2 * length].fill(0);
    }
    let text =
        |numerals: &[u16]| -> Vec<u8> { numerals.iter().map(|&numeral| alphabet.character(numeral) as u8).collect() };
    let tweak_length = TWEAK_LENGTHS[random.below(TWEAK_LENGTHS.len())];
    let tweaks = random.bytes(count * tweak_length);
    let shared = &tweaks[..tweak_length];
    for (tweak, tweaks) in [(Tweak::Shared(shared), &[][..]), (Tweak::Each { length: tweak_length }, &tweaks)] {
        for direction in DIRECTIONS {
            for kernel in kernels() {
                let expected = transform(&key_bytes, kernel, parameters, tweak, direction, &numerals, tweaks);
                let ff1 = AsciiFf1::new(&key, kernel, alphabet, parameters, tweak).unwrap();
                let (result, invalid) = transform_ascii(&ff1, direction, length, &text(&numerals), tweaks);
                let what = format!("radix {radix}, length {length}, {direction:?}, {kernel:?}");
                assert_eq!(result, text(&expected), "{what}");
                assert!(invalid.is_empty(), "{what}");
            }
        }
    }
}

/// One invalid character, in every lane and at every place in turn, is found and changes nothing
/// in the other lanes.
#[test]
fn invalid_characters_are_found_in_every_lane() {
    let mut random = Random(6);
    let lengths = [
        (10, 2),
        (10, 16),
        (10, 17),
        (62, 7),
        (62, 16),
        (62, 20),
        (62, 32),
        (128, 13),
        (2, 32),
        (3, 31),
        (36, 40),
        (62, 41),
        (128, 27),
        (128, 28),
        (128, 47),
        (10, 65),
        (2, 200),
        (62, 180),
    ];
    for (radix, length) in lengths {
        let alphabet = match radix {
            10 => Alphabet::new("0123456789").unwrap(),
            _ => random_alphabet(radix, &mut random),
        };
        let parameters = small(radix, length);
        let key = AesKey::new(&random.bytes(32)).unwrap();
        let count = 261;
        let numerals = random.numerals(radix, count * length);
        let valid: Vec<u8> = numerals.iter().map(|&n| alphabet.character(n) as u8).collect();
        let absent: Vec<u8> =
            (0u8..=255).filter(|&byte| !byte.is_ascii() || alphabet.numeral(char::from(byte)).is_none()).collect();
        for kernel in kernels() {
            let ff1 = AsciiFf1::new(&key, kernel, &alphabet, parameters, Tweak::Shared(b"t")).unwrap();
            let (expected, _) = transform_ascii(&ff1, Direction::Encrypt, length, &valid, &[]);
            for lane in 0..count {
                let mut values = valid.clone();
                values[lane * length + lane % length] = absent[random.below(absent.len())];
                let (mut result, invalid) = transform_ascii(&ff1, Direction::Encrypt, length, &values, &[]);
                assert_eq!(invalid, [lane as u32], "radix {radix}, length {length}, {kernel:?}");
                let slot = lane * length..(lane + 1) * length;
                assert!(result[slot.clone()].iter().all(|&b| b == alphabet.character(0) as u8));
                result[slot.clone()].copy_from_slice(&expected[slot]);
                assert_eq!(result, expected, "radix {radix}, length {length}, {kernel:?}");
            }
            let garbage = vec![absent[0]; count * length];
            let (_, invalid) = transform_ascii(&ff1, Direction::Encrypt, length, &garbage, &[]);
            assert_eq!(invalid, (0..count as u32).collect::<Vec<u32>>());
        }
    }
}

/// Every byte value that is not in the alphabet is refused, whatever its place.
#[test]
fn every_byte_outside_the_alphabet_is_invalid() {
    for (characters, length) in [("0123456789", 9), ("9876543210", 9), ("abcdefghijkl", 24)] {
        let alphabet = Alphabet::new(characters).unwrap();
        let parameters = small(alphabet.radix(), length);
        let key = AesKey::new(&[7; 16]).unwrap();
        let first = characters.as_bytes()[0];
        for kernel in kernels() {
            let ff1 = AsciiFf1::new(&key, kernel, &alphabet, parameters, Tweak::Shared(&[])).unwrap();
            let mut values = vec![first; 256 * length];
            for byte in 0..=255u8 {
                values[usize::from(byte) * length + usize::from(byte) % length] = byte;
            }
            let (_, invalid) = transform_ascii(&ff1, Direction::Decrypt, length, &values, &[]);
            let expected: Vec<u32> =
                (0..=255u8).filter(|byte| !characters.as_bytes().contains(byte)).map(u32::from).collect();
            assert_eq!(invalid, expected);
        }
    }
}
