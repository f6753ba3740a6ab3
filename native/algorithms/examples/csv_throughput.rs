//! Gigabytes of CSV a second whose structure one core checks, by path and kind of file.
//!
//! ```text
//! cargo run --release --example csv_throughput
//! ```

use std::hint::black_box;
use std::time::Instant;

use tokenkit_algorithms::csv_structure::{Dialect, Finder, Structure};

const BYTES: usize = 64 << 20;
const PIECE: usize = 512 << 10;
const ROUNDS: usize = 7;

fn file(record: impl Fn(usize) -> String) -> Vec<u8> {
    let mut data = Vec::with_capacity(BYTES + 1024);
    for index in 0.. {
        if data.len() >= BYTES {
            break;
        }
        data.extend(record(index).as_bytes());
    }
    data
}

fn check(finder: Finder, data: &[u8]) -> u64 {
    let dialect = Dialect::new(b',', Some(b'"')).expect("these are ASCII");
    let mut structure = Structure::new(dialect, None, finder);
    let (mut start, mut end) = (0, 0);
    while end < data.len() {
        end = (end + PIECE).min(data.len());
        start += structure.feed(&data[start..end]).expect("the file is well-formed");
    }
    structure.finish(&data[start..]).expect("the file is well-formed");
    structure.records()
}

fn main() {
    let files = [
        (
            "12 fields",
            file(|i| {
                format!(
                    "{i},Ada,Byron,1815-12-10,4111111111111111,078-05-1120,ada@example.org,London,GB,12.50,{},open\n",
                    i * 7
                )
            }),
        ),
        ("3 short fields", file(|i| format!("{i},x,{}\n", i % 10))),
        (
            "half are quoted",
            file(|i| {
                format!("{i},\"Byron, Ada\",\"say \"\"no\"\"\",4111111111111111,\"12 St James's\r\nLondon\",GB\r\n")
            }),
        ),
        (
            "a third is not ASCII",
            file(|i| format!("{i},Zo\u{eb},\u{c5}ngstr\u{f6}m,\u{6771}\u{4eac}\u{90fd},4111111111111111\n")),
        ),
    ];
    println!("{:<22} {:<10} {:>8}", "file", "path", "GB/s");
    for (name, data) in &files {
        for finder in [Some(Finder::PORTABLE), Finder::avx2(), Finder::avx512()].into_iter().flatten() {
            let mut seconds: Vec<f64> = (0..ROUNDS)
                .map(|_| {
                    let start = Instant::now();
                    black_box(check(finder, black_box(data)));
                    start.elapsed().as_secs_f64()
                })
                .collect();
            seconds.sort_by(f64::total_cmp);
            println!("{name:<22} {:<10} {:>8.2}", finder.name(), data.len() as f64 / seconds[ROUNDS / 2] / 1e9);
        }
    }
}
