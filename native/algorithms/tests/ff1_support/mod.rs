//! What the FF1 tests share: kernels, random numbers, and FF1 as the standard writes it.

#![allow(dead_code)]

use tokenkit_algorithms::aes::{AesKey, Block};
use tokenkit_algorithms::ff1::{AsciiFf1, Direction, DomainMinimum, Ff1, Parameters, Tweak};
use tokenkit_algorithms::kernel::Kernel;

/// Every kernel that this processor can run.
pub fn kernels() -> Vec<Kernel> {
    let mut kernels = vec![Kernel::PORTABLE];
    kernels.extend(Kernel::vector());
    kernels
}

/// SplitMix64: a seeded generator, so that a failure can be repeated.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    pub fn numerals(&mut self, radix: u32, count: usize) -> Vec<u16> {
        (0..count).map(|_| self.below(radix as usize) as u16).collect()
    }
}

/// Bytes from hexadecimal digits.
pub fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    pairs.map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// One value or many through [`Ff1::apply`].
pub fn transform(
    key: &[u8],
    kernel: Kernel,
    parameters: Parameters,
    tweak: Tweak<'_>,
    direction: Direction,
    values: &[u16],
    tweaks: &[u8],
) -> Vec<u16> {
    let key = AesKey::new(key).expect("a key length of AES");
    let ff1 = Ff1::new(&key, kernel, parameters, tweak).expect("parameters of FF1");
    let mut numerals = values.to_vec();
    ff1.apply(direction, &mut numerals, tweaks).expect("numerals below the radix");
    numerals
}

/// Lays strings out for [`AsciiFf1::apply`], at an odd address, with bytes of slack that are no
/// characters of any alphabet.
pub fn transform_ascii(
    ff1: &AsciiFf1<'_, '_>,
    direction: Direction,
    length: usize,
    values: &[u8],
    tweaks: &[u8],
) -> (Vec<u8>, Vec<u32>) {
    let stride = ff1.stride();
    let count = values.len() / length;
    let mut source = vec![0xfe; count * stride + 1];
    let mut target = vec![0xfd; count * stride + 2];
    for (slot, value) in source[1..].chunks_exact_mut(stride).zip(values.chunks_exact(length)) {
        slot[..length].copy_from_slice(value);
    }
    let mut invalid = Vec::new();
    ff1.apply(direction, &source[1..], &mut target[1..=count * stride], tweaks, &mut invalid);
    assert_eq!((target[0], target[count * stride + 1]), (0xfd, 0xfd), "nothing outside is written");
    let slots = target[1..].chunks_exact(stride);
    (slots.flat_map(|slot| slot[..length].iter().copied()).collect(), invalid)
}

pub fn small(radix: u32, length: usize) -> Parameters {
    Parameters::new(radix, length, DomainMinimum::Small).expect("a domain of at least 100")
}

/// FF1 step by step (SP 800-38G, algorithms 7 and 8), digit by digit and without reciprocals.
///
/// Nothing but the block cipher is shared with the crate.
pub fn naive_ff1(key: &AesKey, radix: u32, tweak: &[u8], direction: Direction, value: &[u16]) -> Vec<u16> {
    let n = value.len();
    let (u, v) = (n / 2, n - n / 2);
    let (mut a, mut b) = (value[..u].to_vec(), value[u..].to_vec());
    let largest = vec![(radix - 1) as u16; v];
    let half_bytes = minimal_bytes(radix, &largest);
    let d = 4 * half_bytes.div_ceil(4) + 4;
    let mut p = vec![1, 2, 1];
    p.extend(&radix.to_be_bytes()[1..]);
    p.extend([10, (u % 256) as u8]);
    p.extend((n as u32).to_be_bytes());
    p.extend((tweak.len() as u32).to_be_bytes());
    for step in 0..10 {
        let round = if direction == Direction::Encrypt { step } else { 9 - step };
        let source = if direction == Direction::Encrypt { &b } else { &a };
        let mut q = tweak.to_vec();
        while !(q.len() + half_bytes + 1).is_multiple_of(16) {
            q.push(0);
        }
        q.push(round);
        q.extend(number(radix, source, half_bytes));
        let mut r = [0u8; 16];
        for block in p.chunks(16).chain(q.chunks(16)) {
            for (byte, other) in r.iter_mut().zip(block) {
                *byte ^= other;
            }
            key.encrypt_block(&mut r);
        }
        let mut s = r.to_vec();
        let mut counter = 1u128;
        while s.len() < d {
            let mut block: Block = (u128::from_be_bytes(r) ^ counter).to_be_bytes();
            key.encrypt_block(&mut block);
            s.extend(block);
            counter += 1;
        }
        s.truncate(d);
        let m = if round % 2 == 0 { u } else { v };
        let y = string(radix, s, m);
        if direction == Direction::Encrypt {
            let c = digitwise(radix, &a, &y, false);
            a = std::mem::replace(&mut b, c);
        } else {
            let c = digitwise(radix, &b, &y, true);
            b = std::mem::replace(&mut a, c);
        }
    }
    a.extend(b);
    a
}

fn minimal_bytes(radix: u32, numerals: &[u16]) -> usize {
    let bytes = number(radix, numerals, 2 * numerals.len());
    bytes.len() - bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len())
}

/// NUM, as `size` bytes, most significant first.
fn number(radix: u32, numerals: &[u16], size: usize) -> Vec<u8> {
    let mut bytes = vec![0u8; size];
    for &numeral in numerals {
        let mut carry = u32::from(numeral);
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * radix;
            *byte = carry as u8;
            carry >>= 8;
        }
    }
    bytes
}

/// STR of the number modulo radix^size.
fn string(radix: u32, mut bytes: Vec<u8>, size: usize) -> Vec<u16> {
    let mut numerals = vec![0; size];
    for numeral in numerals.iter_mut().rev() {
        let mut remainder = 0u32;
        for byte in &mut bytes {
            remainder = remainder << 8 | u32::from(*byte);
            *byte = (remainder / radix) as u8;
            remainder %= radix;
        }
        *numeral = remainder as u16;
    }
    numerals
}

/// Addition or subtraction of numerals modulo radix^length.
fn digitwise(radix: u32, left: &[u16], right: &[u16], subtract: bool) -> Vec<u16> {
    let mut carry = 0i64;
    let mut digits: Vec<u16> = Vec::new();
    for (&x, &y) in left.iter().rev().zip(right.iter().rev()) {
        let y = if subtract { -i64::from(y) } else { i64::from(y) };
        let digit = i64::from(x) + y + carry;
        carry = digit.div_euclid(i64::from(radix));
        digits.push(digit.rem_euclid(i64::from(radix)) as u16);
    }
    digits.reverse();
    digits
}
