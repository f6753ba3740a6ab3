//! Radix and length, and what SP 800-38G derives from them.

use std::fmt;

use super::limbs;

/// The smallest number of values of one length that is accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DomainMinimum {
    /// `radix^length >= 1,000,000`: SP 800-38G rev. 1, section 5.1.
    Standard,
    /// `radix^length >= 100`: the first edition's requirement. Smaller domains are never accepted.
    Small,
}

/// Why FF1 cannot be set up as asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParameterError {
    /// The radix is not in 2..=65,536.
    Radix,
    /// The length is not in 2..=65,536.
    Length,
    /// There are fewer values of this length than the domain minimum asks for.
    DomainTooSmall,
    /// The tweak is longer than 2^32 - 1 bytes.
    TweakTooLong,
    /// The alphabet has a character that is not ASCII.
    AlphabetNotAscii,
    /// The alphabet does not have as many characters as the radix says.
    AlphabetRadix,
}

impl fmt::Display for ParameterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            ParameterError::Radix => "the radix must be between 2 and 65,536",
            ParameterError::Length => "the length must be between 2 and 65,536",
            ParameterError::DomainTooSmall => {
                "there are too few values of this length for format-preserving encryption"
            }
            ParameterError::TweakTooLong => "the tweak is longer than 2^32 - 1 bytes",
            ParameterError::AlphabetNotAscii => "the alphabet has a character that is not ASCII",
            ParameterError::AlphabetRadix => "the alphabet's size is not the radix",
        })
    }
}

impl std::error::Error for ParameterError {}

/// Radix and length of the values, with the sizes of SP 800-38G, algorithm 7, steps 1 to 4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    radix: u32,
    length: u32,
    /// b, the bytes of a half written as a number.
    half_bytes: u32,
}

impl Parameters {
    /// Checks radix and length.
    ///
    /// # Errors
    /// [`ParameterError`] if either is out of range or the domain is too small.
    pub fn new(radix: u32, length: usize, minimum: DomainMinimum) -> Result<Parameters, ParameterError> {
        if !(2..=65_536).contains(&radix) {
            return Err(ParameterError::Radix);
        }
        if !(2..=65_536).contains(&length) {
            return Err(ParameterError::Length);
        }
        let least = match minimum {
            DomainMinimum::Standard => 1_000_000,
            DomainMinimum::Small => 100,
        };
        let length = length as u32;
        if u64::from(radix).saturating_pow(length) < least {
            return Err(ParameterError::DomainTooSmall);
        }
        let half_bytes = power_bits(radix, length.div_ceil(2)).div_ceil(8);
        Ok(Parameters { radix, length, half_bytes })
    }

    /// The radix.
    #[must_use]
    pub fn radix(&self) -> u32 {
        self.radix
    }

    /// The number of numerals in a value.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length as usize
    }

    /// u and v, the lengths of the left and the right half.
    pub(crate) fn half_lengths(&self) -> [usize; 2] {
        let length = self.length();
        [length / 2, length - length / 2]
    }

    /// b, the bytes of a half written as a number.
    pub(crate) fn half_bytes(&self) -> usize {
        self.half_bytes as usize
    }

    /// d, the bytes of pseudorandom output that one round reduces.
    pub(crate) fn stream_bytes(&self) -> usize {
        4 * self.half_bytes().div_ceil(4) + 4
    }

    /// radix^u and radix^v, if b is at most 12 so that both fit.
    pub(crate) fn half_moduli(&self) -> Option<[u128; 2]> {
        let radix = u128::from(self.radix);
        (self.half_bytes <= 12).then(|| self.half_lengths().map(|length| radix.pow(length as u32)))
    }

    /// P of algorithm 7, step 5; its byte 7 is u mod 256.
    pub(crate) fn first_block(&self, tweak_length: u32) -> [u8; 16] {
        let mut block = [0; 16];
        block[..3].copy_from_slice(&[1, 2, 1]);
        block[3..6].copy_from_slice(&self.radix.to_be_bytes()[1..]);
        block[6] = 10;
        block[7] = self.half_lengths()[0] as u8;
        block[8..12].copy_from_slice(&self.length.to_be_bytes());
        block[12..].copy_from_slice(&tweak_length.to_be_bytes());
        block
    }
}

/// The bits of `radix^exponent - 1`, which is the standard's `ceil(v * LOG2(radix))`.
fn power_bits(radix: u32, exponent: u32) -> u32 {
    if radix.is_power_of_two() {
        return radix.ilog2() * exponent;
    }
    // No power of another radix is a power of two, so the logarithm is no integer and its ceiling
    // is the bit length. The product's relative error is a few times 2^-53, its value below 2^20:
    // far from the margin, within which the exact power decides.
    let logarithm = f64::from(exponent) * f64::from(radix).log2();
    if (logarithm - logarithm.round()).abs() > 1e-6 {
        return logarithm.ceil() as u32;
    }
    limbs::bit_length(&limbs::power(radix, exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_lengths_are_those_of_the_exact_powers() {
        for radix in [2, 3, 5, 7, 10, 26, 36, 62, 64, 127, 255, 256, 257, 65_535, 65_536] {
            for exponent in (1..60).chain([255, 256, 1_000]) {
                let mut below = limbs::power(radix, exponent);
                for limb in &mut below {
                    let (difference, borrow) = limb.overflowing_sub(1);
                    *limb = difference;
                    if !borrow {
                        break;
                    }
                }
                assert_eq!(power_bits(radix, exponent), limbs::bit_length(&below));
            }
        }
    }
}
