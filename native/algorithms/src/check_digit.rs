//! The Luhn check digit (ISO/IEC 7812-1, annex B), by which card numbers are checked.
//!
//! The sum counts digits from the right: the last one as it is, the one before it doubled (with 9
//! taken off if that gives more than 9), and so on in turn. A number is valid if the sum is 0
//! modulo 10.

/// The digit that contributes `i` to the sum where digits are doubled: doubling, with 9 taken off,
/// only puts the ten digits into another order.
const HALVED: [u8; 10] = [0, 5, 1, 6, 2, 7, 3, 8, 4, 9];

/// The Luhn sum of the digits (each 0 to 9), modulo 10.
pub fn luhn_sum(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .rchunks(2)
        .map(|pair| match *pair {
            [before, last] => u32::from(doubled(before)) + u32::from(last),
            [last] => u32::from(last),
            _ => 0,
        })
        .sum();
    (sum % 10) as u8
}

/// Sets `digits[position]` so that the Luhn sum of the digits becomes `residue` (0 to 9); what
/// stood there before does not matter.
///
/// # Panics
///
/// If there is no such position.
pub fn solve_luhn(digits: &mut [u8], position: usize, residue: u8) {
    digits[position] = 0;
    let missing = (10 + residue % 10 - luhn_sum(digits)) % 10;
    let from_the_right = digits.len() - 1 - position;
    digits[position] = if from_the_right % 2 == 1 { HALVED[usize::from(missing)] } else { missing };
}

/// Twice the digit, or the sum of that number's two digits.
#[inline]
fn doubled(digit: u8) -> u8 {
    let twice = digit.wrapping_mul(2);
    if twice > 9 { twice.wrapping_sub(9) } else { twice }
}
