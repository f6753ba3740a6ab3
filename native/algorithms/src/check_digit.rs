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
    let mut words = digits.rchunks_exact(8);
    let mut sum = 0;
    for word in &mut words {
        sum += word_sum(word.iter().rfold(0, |word, &digit| word << 8 | u64::from(digit)));
    }
    // Zeros in front change nothing.
    let head = words.remainder();
    let aligned = head.iter().rfold(0, |word, &digit| word << 8 | u64::from(digit));
    sum += word_sum(aligned.checked_shl(64 - 8 * head.len() as u32).unwrap_or(0));
    (sum % 10) as u8
}

/// The sum of eight digits, one a byte, the first in the lowest: every other one from the last but one is doubled.
#[inline]
fn word_sum(word: u64) -> u64 {
    const BEFORE: u64 = 0x00FF_00FF_00FF_00FF;
    const EACH: u64 = 0x0101_0101_0101_0101;
    let before = word & BEFORE;
    // A byte of 5 or more reaches 0x80 with 0x7B added: twice that digit has two digits, whose sum is 9 less.
    let carries = ((before + 0x7B * EACH) >> 7) & EACH & BEFORE;
    let doubled = 2 * before - 9 * carries;
    // No byte exceeds 9, so that the product's highest byte is the sum of all eight.
    (doubled + (word & !BEFORE)).wrapping_mul(EACH) >> 56
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
