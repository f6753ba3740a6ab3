//! The AES key expansion (FIPS 197, section 5.2) in the layout of the vector kernel.

use crate::locked::Locked;
use zeroize::Zeroize;

/// Round keys, each repeated four times over: one 512-bit register a round key.
///
/// The repetition lets the rounds read them as memory operands, so that the compiler has no reason
/// to build broadcast copies on the stack.
#[repr(C, align(64))]
pub(crate) struct RoundKeys {
    rows: [[u8; 64]; 15],
    rounds: usize,
}

impl RoundKeys {
    /// Expands a key of 16, 24 or 32 bytes in constant time.
    pub(crate) fn expand(key: &[u8]) -> Locked<RoundKeys> {
        let mut round_keys = Locked::new(RoundKeys { rows: [[0; 64]; 15], rounds: key.len() / 4 + 6 });
        let mut words = [[0u8; 4]; 60];
        let key_words = key.len() / 4;
        let word_count = 4 * (round_keys.rounds + 1);
        for (word, bytes) in words.iter_mut().zip(key.chunks_exact(4)) {
            word.copy_from_slice(bytes);
        }
        let mut round_constant = 1u8;
        for index in key_words..word_count {
            let mut word = words[index - 1];
            if index % key_words == 0 {
                word = [word[1], word[2], word[3], word[0]].map(substitute);
                word[0] ^= round_constant;
                round_constant = double(round_constant);
            } else if key_words > 6 && index % key_words == 4 {
                word = word.map(substitute);
            }
            for (byte, earlier) in word.iter_mut().zip(words[index - key_words]) {
                *byte ^= earlier;
            }
            words[index] = word;
        }
        for (row, four_words) in round_keys.rows.iter_mut().zip(words[..word_count].chunks_exact(4)) {
            for (position, byte) in row.iter_mut().enumerate() {
                *byte = four_words[position % 16 / 4][position % 4];
            }
        }
        words.zeroize();
        round_keys
    }

    /// The round key of `round`, four times over.
    #[inline(always)]
    pub(crate) fn row(&self, round: usize) -> &[u8; 64] {
        &self.rows[round]
    }

    /// 10, 12 or 14.
    #[inline(always)]
    pub(crate) fn rounds(&self) -> usize {
        self.rounds
    }
}

impl Drop for RoundKeys {
    fn drop(&mut self) {
        self.rows.zeroize();
    }
}

/// Multiplication by x in GF(2^8) (FIPS 197, section 4.2).
fn double(value: u8) -> u8 {
    (value << 1) ^ (0x1b & 0u8.wrapping_sub(value >> 7))
}

/// Multiplication in GF(2^8), without a branch or a table.
fn multiply(mut left: u8, mut right: u8) -> u8 {
    let mut product = 0;
    for _ in 0..8 {
        product ^= left & 0u8.wrapping_sub(right & 1);
        left = double(left);
        right >>= 1;
    }
    product
}

/// SubBytes of one byte (FIPS 197, section 5.1.1), as the 254th power and the affine map, so that
/// no memory address depends on a key byte.
fn substitute(value: u8) -> u8 {
    let mut power = value;
    let mut inverse = 1;
    for _ in 0..7 {
        power = multiply(power, power);
        inverse = multiply(inverse, power);
    }
    inverse ^ inverse.rotate_left(1) ^ inverse.rotate_left(2) ^ inverse.rotate_left(3) ^ inverse.rotate_left(4) ^ 0x63
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 197, appendix A: the last word of each example's expansion.
    #[test]
    fn the_examples_of_the_standard_agree() {
        let cases: [(&str, [u8; 4]); 3] = [
            ("2b7e151628aed2a6abf7158809cf4f3c", [0xb6, 0x63, 0x0c, 0xa6]),
            ("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", [0x01, 0x00, 0x22, 0x02]),
            ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", [0x70, 0x6c, 0x63, 0x1e]),
        ];
        for (hexadecimal, last_word) in cases {
            let key: Vec<u8> = (0..hexadecimal.len() / 2)
                .map(|i| u8::from_str_radix(&hexadecimal[2 * i..2 * i + 2], 16).unwrap())
                .collect();
            let round_keys = RoundKeys::expand(&key);
            let last = round_keys.row(round_keys.rounds());
            assert_eq!(last[12..16], last_word);
            assert_eq!(last[..16], last[48..]);
        }
    }
}
