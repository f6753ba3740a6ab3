//! Values a second on one core, by path, beside the processor's own limit.
//!
//! `cargo run --release -p tokenkit-algorithms --example throughput [FILTER]`
//!
//! The last column is the share of the raw AES-256 block rate of the vector kernel (of the portable
//! one if there is no other), divided by the ten blocks that a value takes at least.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;
use std::time::{Duration, Instant};

use tokenkit_algorithms::aes::AesKey;
use tokenkit_algorithms::alphabet::Alphabet;
use tokenkit_algorithms::ff1::{AsciiFf1, Direction, DomainMinimum, Ff1, Parameters, Tweak};
use tokenkit_algorithms::kernel::Kernel;

const DIGITS: &str = "0123456789";
const ALPHANUMERIC: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Runs a second: the median of what 0.4 seconds hold.
fn rate(mut run: impl FnMut()) -> f64 {
    run();
    let mut runs = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(400) {
        let one = Instant::now();
        run();
        runs.push(one.elapsed());
    }
    runs.sort_unstable();
    1.0 / runs[runs.len() / 2].as_secs_f64()
}

/// Pseudorandom numerals, others at every start of the program.
fn numerals(radix: u32, count: usize) -> Vec<u16> {
    let mut state = RandomState::new().build_hasher().finish() | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 33) % u64::from(radix)) as u16
        })
        .collect()
}

struct Bench {
    key: AesKey,
    bound: f64,
    filter: String,
}

impl Bench {
    fn report(&self, name: &str, values: usize, runs: impl FnOnce() -> f64) {
        if name.contains(&self.filter) {
            let rate = values as f64 * runs();
            println!("{name:<58} {:>8.2} {:>7.1} %", rate / 1e6, 100.0 * rate / self.bound);
        }
    }

    fn ascii(&self, kernel: Kernel, name: &str, alphabet: &str, length: usize, each: usize) {
        let alphabet = Alphabet::new(alphabet).expect("an alphabet");
        let radix = alphabet.radix();
        let parameters = Parameters::new(radix, length, DomainMinimum::Standard).expect("a domain");
        let tweak = if each > 0 { Tweak::Each { length: each } } else { Tweak::Shared(b"") };
        let ff1 = AsciiFf1::new(&self.key, kernel, &alphabet, parameters, tweak).expect("ASCII");
        let count = if length > 32 { 1 << 12 } else { 1 << 15 };
        let stride = ff1.stride();
        let mut source = vec![0; count * stride];
        let characters = numerals(radix, count * length);
        for (slot, value) in source.chunks_mut(stride).zip(characters.chunks(length)) {
            for (byte, &numeral) in slot.iter_mut().zip(value) {
                *byte = alphabet.character(numeral) as u8;
            }
        }
        let tweaks = vec![7; count * each];
        let mut target = vec![0; source.len()];
        let mut invalid = Vec::new();
        for direction in [Direction::Encrypt, Direction::Decrypt] {
            let name = format!("{name}, text, {}, {direction:?}", kernel.name());
            self.report(&name, count, || {
                rate(|| {
                    ff1.apply(direction, &source, &mut target, &tweaks, &mut invalid);
                    // The next run gets what this one gave, so that no two have the same input.
                    std::mem::swap(&mut source, &mut target);
                })
            });
            let before: Vec<u8> = source.chunks(stride).flat_map(|slot| &slot[..length]).copied().collect();
            ff1.apply(Direction::Encrypt, &source, &mut target, &tweaks, &mut invalid);
            ff1.apply(Direction::Decrypt, &target, &mut source, &tweaks, &mut invalid);
            let after = source.chunks(stride).flat_map(|slot| &slot[..length]);
            assert!(after.eq(&before) && invalid.is_empty(), "what was encrypted came back otherwise");
        }
    }

    fn numerals(&self, kernel: Kernel, radix: u32, length: usize) {
        let parameters = Parameters::new(radix, length, DomainMinimum::Standard).expect("a domain");
        let ff1 = Ff1::new(&self.key, kernel, parameters, Tweak::Shared(b"")).expect("a tweak");
        let count = (1 << 19) / length;
        let mut values = numerals(radix, count * length);
        let name = format!("radix {radix} x {length}, numerals, {}", kernel.name());
        self.report(&name, count, || {
            rate(|| ff1.apply(Direction::Encrypt, black_box(&mut values), &[]).expect("valid"))
        });
    }
}

fn main() {
    let key = AesKey::new(&[0x2b; 32]).expect("a key length of AES");
    let mut blocks = vec![[0u8; 16]; 4_096];
    let best = Kernel::best();
    let blocks_a_second = 4_096.0 * rate(|| key.encrypt_blocks(best, black_box(&mut blocks)));
    let portable = 4_096.0 * rate(|| key.encrypt_blocks(Kernel::PORTABLE, black_box(&mut blocks)));
    println!("AES-256, million blocks/s: {} {:.0}, portable {:.0}", best.name(), blocks_a_second / 1e6, portable / 1e6);
    println!("{:<58} {:>8} {:>9}", "path", "M/s", "of limit");
    let filter = std::env::args().nth(1).unwrap_or_default();
    let bench = Bench { key, bound: blocks_a_second / 10.0, filter };
    let mut kernels = vec![Kernel::PORTABLE];
    kernels.extend(Kernel::vector());
    for kernel in kernels {
        for length in [16, 9, 7, 19, 32] {
            bench.ascii(kernel, &format!("{length} digits"), DIGITS, length, 0);
        }
        bench.ascii(kernel, "16 digits, 8-byte tweaks", DIGITS, 16, 8);
        bench.ascii(kernel, "16 digits, 16-byte tweaks", DIGITS, 16, 16);
        for length in [8, 10, 16, 20, 32, 40, 64, 128, 170] {
            bench.ascii(kernel, &format!("radix 62 x {length}"), ALPHANUMERIC, length, 0);
        }
        for (radix, length) in
            [(10, 16), (62, 20), (2, 64), (256, 16), (65_535, 12), (10, 60), (62, 128), (62, 255), (65_535, 4_096)]
        {
            bench.numerals(kernel, radix, length);
        }
    }
}
