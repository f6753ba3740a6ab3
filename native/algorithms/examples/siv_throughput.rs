//! Values a second that AES-256-SIV seals and opens on one core, by kernel and value size.
//!
//! ```text
//! cargo run --release --example siv_throughput
//! ```

use std::hint::black_box;
use std::time::Instant;

use tokenkit_algorithms::kernel::Kernel;
use tokenkit_algorithms::siv::{Siv, TAG_BYTES};

const COUNT: usize = 65_536;
const ROUNDS: usize = 15;

/// The median time of one round, as values a second.
fn rate(mut round: impl FnMut()) -> f64 {
    let mut seconds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    COUNT as f64 / seconds[ROUNDS / 2]
}

fn main() {
    let siv = Siv::new(&[0x5a; 64]).expect("64 bytes are a key");
    println!("{:<10} {:>12} {:>12} {:>12}", "kernel", "bytes", "seal M/s", "open M/s");
    for kernel in [Some(Kernel::PORTABLE), Kernel::vector()].into_iter().flatten() {
        for (name, shortest, longest) in
            [("10", 10, 10), ("16", 16, 16), ("40", 40, 40), ("10-40", 10, 40), ("200", 200, 200)]
        {
            let length = |index: usize| {
                // A multiplicative hash, so that neighbours have unrelated lengths.
                let spread = index.wrapping_mul(0x9e37_79b9) >> 7;
                shortest + spread % (longest - shortest + 1)
            };
            let values: Vec<Vec<u8>> =
                (0..COUNT).map(|index| (0..length(index)).map(|i| (index >> (i % 3 * 8)) as u8).collect()).collect();
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let total: usize = values.iter().map(|value| value.len() + TAG_BYTES).sum();
            let mut sealed = vec![0; total];
            let seal = rate(|| siv.seal_batch(kernel, b"", black_box(&values), &mut sealed));

            let mut rest = &sealed[..];
            let mut parts = Vec::with_capacity(COUNT);
            for value in &values {
                let (part, after) = rest.split_at(value.len() + TAG_BYTES);
                parts.push(part);
                rest = after;
            }
            let mut opened = vec![0; total - COUNT * TAG_BYTES];
            let mut authentic = vec![false; COUNT];
            let open = rate(|| {
                siv.open_batch(kernel, b"", black_box(&parts), &mut opened, &mut authentic);
            });
            assert!(authentic.iter().all(|authentic| *authentic));
            assert_eq!(opened, values.concat());
            println!("{:<10} {name:>12} {:>12.2} {:>12.2}", kernel.name(), seal / 1e6, open / 1e6);
        }
    }
}
