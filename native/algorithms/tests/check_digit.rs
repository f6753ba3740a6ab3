//! The Luhn sum and its inverse.

use tokenkit_algorithms::check_digit::{luhn_sum, solve_luhn};

fn digits(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| byte - b'0').collect()
}

/// Test card numbers of the networks, 12 to 19 digits, and IMEI and other Luhn numbers.
#[test]
fn known_numbers_have_residue_zero() {
    for number in [
        "4111111111111111",
        "5555555555554444",
        "378282246310005",
        "6011111111111117",
        "3530111333300000",
        "30569309025904",
        "4222222222222",
        "6304000000000000",
        "501800000009",
        "6799990100000000019",
        "79927398713",
        "490154203237518",
        "0",
        "00",
        "18",
        "",
    ] {
        assert_eq!(luhn_sum(&digits(number)), 0, "{number}");
    }
}

/// ISO/IEC 7812-1's scheme, by the rule that every second digit from the right is doubled.
fn by_definition(digits: &[u8]) -> u8 {
    let mut sum = 0;
    for (from_the_right, digit) in digits.iter().rev().enumerate() {
        let mut value = u32::from(*digit);
        if from_the_right % 2 == 1 {
            value *= 2;
            value = value / 10 + value % 10;
        }
        sum += value;
    }
    (sum % 10) as u8
}

/// All numbers of up to five digits, and long ones, have the sum of the definition.
#[test]
fn sums_follow_the_definition() {
    for length in 1..=5 {
        for number in 0..10_u32.pow(length) {
            let digits = digits(&format!("{number:0width$}", width = length as usize));
            assert_eq!(luhn_sum(&digits), by_definition(&digits));
        }
    }
    for length in 6..=300 {
        let digits: Vec<u8> = (0..length).map(|i| (i * i + 3 * i + 1) as u8 % 10).collect();
        assert_eq!(luhn_sum(&digits), by_definition(&digits));
        assert_eq!(luhn_sum(&vec![9; length]), by_definition(&vec![9; length]));
    }
}

/// Whatever stood at the position, solving gives the residue and changes nothing else.
#[test]
fn solving_gives_every_residue_at_every_position() {
    for length in 1..=24 {
        let original: Vec<u8> = (0..length).map(|i| (7 * i + length) as u8 % 10).collect();
        for position in 0..length {
            for residue in 0..10 {
                for before in 0..10 {
                    let mut solved = original.clone();
                    solved[position] = before;
                    solve_luhn(&mut solved, position, residue);
                    assert_eq!(luhn_sum(&solved), residue);
                    assert!(solved[position] <= 9);
                    let mut expected = original.clone();
                    expected[position] = solved[position];
                    assert_eq!(solved, expected);
                }
            }
        }
    }
}

/// A digit that the sum already allows is the one that solving finds: there is only one.
#[test]
fn solving_finds_the_digit_that_was_there() {
    let number = digits("4111111111111111");
    for position in 0..number.len() {
        let mut erased = number.clone();
        erased[position] = 0;
        solve_luhn(&mut erased, position, 0);
        assert_eq!(erased, number);
    }
}
