//! Decimal digits in ASCII to numbers and back, eight at a time in a 64-bit word.
//!
//! A value lies in a slot of 16 bytes, so each half has at most eight digits.

/// The character zero in every byte.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The places of the halves in a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecimalSlot {
    left_bits: u32,
    right_bits: u32,
}

impl DecimalSlot {
    /// Both lengths are from 1 to 8.
    pub(crate) fn new([left_length, right_length]: [usize; 2]) -> DecimalSlot {
        DecimalSlot { left_bits: 8 * left_length as u32, right_bits: 8 * right_length as u32 }
    }

    /// The halves, unless a character is not a digit.
    #[inline(always)]
    pub(crate) fn parse(self, slot: [u8; 16]) -> Option<[u64; 2]> {
        let slot = u128::from_le_bytes(slot);
        let left = right_aligned(slot as u64, self.left_bits);
        let right = right_aligned((slot >> self.left_bits) as u64, self.right_bits);
        (are_digits(left) & are_digits(right)).then(|| [number(left), number(right)])
    }

    /// The characters of the halves, zeros after them.
    #[inline(always)]
    pub(crate) fn print(self, [left, right]: [u64; 2]) -> [u8; 16] {
        let left = u128::from(digits(left) >> (64 - self.left_bits));
        let right = u128::from(digits(right) >> (64 - self.right_bits));
        let zeros = u128::from(ZEROS) << 64 | u128::from(ZEROS);
        (zeros | left | right << self.left_bits).to_le_bytes()
    }
}

/// The digits' values in the upper bytes, which is where a number's last digits belong.
#[inline(always)]
fn right_aligned(characters: u64, bits: u32) -> u64 {
    (characters ^ ZEROS) << (64 - bits)
}

/// Whether every byte is at most 9.
#[inline(always)]
fn are_digits(bytes: u64) -> bool {
    let carries = (bytes & 0x7f7f_7f7f_7f7f_7f7f) + 0x7676_7676_7676_7676;
    (carries | bytes) & 0x8080_8080_8080_8080 == 0
}

/// The number that eight digits make, the first in the lowest byte: pairs, quads and octets, each
/// by one multiplication that adds ten, a hundred or ten thousand times what comes first.
#[inline(always)]
fn number(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let quads = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    quads.wrapping_mul(10_000 << 32 | 1) >> 32
}

/// Back again, for numbers below 10^8. The reciprocals are exact for the numbers that can occur.
#[inline(always)]
fn digits(number: u64) -> u64 {
    let upper = (number * 109_951_163) >> 40;
    let quads = upper | (number - 10_000 * upper) << 32;
    let upper = ((quads * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = upper | (quads - 100 * upper) << 16;
    let upper = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    upper | (pairs - 10 * upper) << 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_digits_are_inverse() {
        for number_ in (0..100_000_000u64).step_by(977).chain([0, 9_999, 10_000, 99_999_999]) {
            let text: [u8; 8] = format!("{number_:08}").into_bytes().try_into().unwrap();
            assert_eq!(digits(number_) | ZEROS, u64::from_le_bytes(text));
            assert_eq!(number(digits(number_)), number_);
        }
    }

    #[test]
    fn only_digits_are_digits() {
        for byte in 0..=255u8 {
            for place in 0..16 {
                let mut slot = *b"0123456789012345";
                slot[place] = byte;
                let parsed = DecimalSlot::new([8, 8]).parse(slot);
                assert_eq!(parsed.is_some(), byte.is_ascii_digit());
            }
        }
    }

    #[test]
    fn bytes_after_the_value_do_not_matter() {
        let slot = DecimalSlot::new([2, 3]);
        let halves = slot.parse(*b"12345\xff67890abcde").unwrap();
        assert_eq!(halves, [12, 345]);
        assert_eq!(slot.print(halves)[..5], *b"12345");
    }
}
