//! The Luhn check digit (ISO/IEC 7812-1, annex B), by which card numbers are checked.
//!
//! The sum counts digits from the right: the last one as it is, the one before it doubled (with 9
//! taken off if that gives more than 9), and so on in turn. A number is valid if the sum is 0
//! modulo 10.

/// The digit that contributes `i` to the sum where digits are doubled: doubling, with 9 taken off,
/// only puts the ten digits into another order.
const HALVED: [u8; 10] = [0, 5, 1, 6, 2, 7, 3, 8, 4, 9];

/// Digits that are summed together; no card number has more.
const BLOCK: usize = 32;

/// The Luhn sum of the digits (each 0 to 9), modulo 10.
pub fn luhn_sum(digits: &[u8]) -> u8 {
    let sum: u32 = digits.rchunks(BLOCK).map(block_sum).sum();
    (sum % 10) as u8
}

/// The sum of at most [`BLOCK`] digits. Zeros in front change nothing, so that the loop has a fixed length and is
/// vectorised.
#[inline]
fn block_sum(digits: &[u8]) -> u32 {
    let mut padded = [0; BLOCK];
    padded[BLOCK - digits.len()..].copy_from_slice(digits);
    padded.as_chunks::<2>().0.iter().map(|&[before, last]| u32::from(doubled(before).wrapping_add(last))).sum()
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
