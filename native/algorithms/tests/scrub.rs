//! After scrubbed work neither registers nor the stack hold round keys, and the stack is overwritten deep enough.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::arch::asm;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenkit_algorithms::aes::AesKey;
use tokenkit_algorithms::alphabet::Alphabet;
use tokenkit_algorithms::ff1::{AsciiFf1, Direction, DomainMinimum, Ff1, Parameters, Tweak};
use tokenkit_algorithms::kernel::Kernel;
use tokenkit_algorithms::proof::{Kind, ProofKey};
use tokenkit_algorithms::scrub::{STACK_BYTES, scrubbed};
use tokenkit_algorithms::siv::Siv;

/// The first two round keys of AES-256 are the key's halves.
const KEY: [u8; 32] = *b"the first 16 are a key of AES256";
const DEPTH: usize = 256 * 1024;

/// What the vector registers hold; without AVX-512 their lower 16 bytes. Needs hardly any stack, which is looked at next.
#[inline(never)]
fn read_registers(held: &mut [[u8; 64]; 32]) {
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has the extension, and the array takes 32 registers of 64 bytes.
        unsafe {
            asm!(
                ".irp number, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
                "vmovdqu64 [{held} + 64 * \\number], zmm\\number",
                ".endr",
                held = in(reg) held.as_mut_ptr(),
                options(nostack, preserves_flags),
            );
        }
    } else {
        // SAFETY: every x86-64 processor has the registers, and the array takes them.
        unsafe {
            asm!(
                ".irp number, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
                "movdqu [{held} + 64 * \\number], xmm\\number",
                ".endr",
                held = in(reg) held.as_mut_ptr(),
                options(nostack, preserves_flags),
            );
        }
    }
}

/// Puts both halves of the key into registers, the second into one that only newer processors have.
#[inline(never)]
fn load_key() {
    // SAFETY: the blocks read the key and write registers that a function may change; the second one's exist.
    unsafe {
        asm!("movdqu xmm7, [{}]", in(reg) KEY.as_ptr(), out("xmm7") _, options(nostack, readonly));
        if is_x86_feature_detected!("avx512f") {
            asm!(
                "vbroadcasti32x4 zmm21, [{}]",
                in(reg) KEY.as_ptr().add(16),
                clobber_abi("sysv64"),
                options(nostack, readonly),
            );
        }
    }
}

/// A range of this thread's stack below the caller, filled with a byte that keys don't have.
#[inline(never)]
fn fill_stack() -> usize {
    let mut below = [0xEEu8; DEPTH];
    std::hint::black_box(&mut below).as_ptr().addr()
}

fn copies(held: &[u8]) -> usize {
    held.windows(16).filter(|bytes| *bytes == &KEY[..16] || *bytes == &KEY[16..]).count()
}

/// What work leaves behind: copies in registers, copies on the stack, and how deep it went.
fn leaves(work: &dyn Fn()) -> (usize, usize, usize) {
    // Nobody owns what is below the stack pointer, so it is read as a debugger would.
    let memory = File::open("/proc/self/mem").unwrap();
    let (mut registers, mut stack) = ([[0; 64]; 32], vec![0; DEPTH]);
    let start = fill_stack();
    work();
    read_registers(&mut registers);
    let read = memory.read_at(&mut stack, start as u64).unwrap();
    assert_eq!(read, DEPTH);
    let untouched = stack.iter().take_while(|&&byte| byte == 0xEE).count();
    (copies(registers.as_flattened()), copies(&stack), DEPTH - untouched)
}

/// Every path through the kernels, with keys that are loaded before.
fn paths(kernel: Kernel) -> Vec<(String, Box<dyn Fn()>)> {
    fn leaked<T>(value: T) -> &'static T {
        Box::leak(Box::new(value))
    }
    let key = leaked(AesKey::new(&KEY).unwrap());
    let mut paths: Vec<(String, Box<dyn Fn()>)> = Vec::new();
    let mut add = |name: String, work: Box<dyn Fn()>| paths.push((format!("{} {name}", kernel.name()), work));
    for (radix, length) in [(10, 6), (10, 16), (10, 19), (36, 32), (62, 40), (10, 120), (26, 400), (65_536, 20)] {
        for tweak in [Tweak::Shared(b"tweak"), Tweak::Each { length: 20 }] {
            let parameters = Parameters::new(radix, length, DomainMinimum::Standard).unwrap();
            let ff1 = leaked(Ff1::new(key, kernel, parameters, tweak).unwrap());
            let tweaks = if let Tweak::Each { length } = tweak { 300 * length } else { 0 };
            for direction in [Direction::Encrypt, Direction::Decrypt] {
                add(
                    format!("FF1 {radix}^{length} {direction:?} {tweak:?}"),
                    Box::new(move || ff1.apply(direction, &mut vec![1; 300 * length], &vec![7; tweaks]).unwrap()),
                );
            }
        }
    }
    for (characters, length) in [("0123456789", 16), ("0123456789", 19), ("abcdefghijklmnop", 30), ("0123456789", 200)]
    {
        let alphabet = leaked(Alphabet::new(characters).unwrap());
        let parameters = Parameters::new(alphabet.radix(), length, DomainMinimum::Standard).unwrap();
        let ff1 = leaked(AsciiFf1::new(key, kernel, alphabet, parameters, Tweak::Shared(b"")).unwrap());
        let source = characters.as_bytes()[..1].repeat(300 * ff1.stride());
        add(
            format!("ASCII FF1 {characters}^{length}"),
            Box::new(move || {
                ff1.apply(Direction::Encrypt, &source, &mut vec![0; source.len()], &[], &mut Vec::new());
            }),
        );
    }
    let siv = leaked(Siv::new(&[KEY, KEY].concat()).unwrap());
    for length in [1, 16, 17, 1000] {
        add(
            format!("SIV {length}"),
            Box::new(move || {
                let text = vec![7; length];
                let sealed = siv.seal(kernel, &[b"data"], &text);
                assert!(siv.open(kernel, &[b"data"], &sealed).is_ok());
                let values = vec![text.as_slice(); 300];
                siv.seal_batch(kernel, &[], &values, &mut vec![0; 300 * (length + 16)]);
            }),
        );
    }
    let proof = leaked(ProofKey::new(&[KEY, KEY].concat().try_into().unwrap()).unwrap());
    add(
        "proof".to_owned(),
        Box::new(move || {
            proof.sum(kernel, (0..300).map(|row| (row, Kind::Value, b"value".as_slice())));
        }),
    );
    paths
}

fn kernels() -> impl Iterator<Item = Kernel> {
    [Some(Kernel::PORTABLE), Kernel::vector()].into_iter().flatten()
}

/// Puts the key on the stack.
#[inline(never)]
fn spill_key() {
    let mut copy = [0; 32 * 1024];
    copy[..32].copy_from_slice(std::hint::black_box(&KEY));
    std::hint::black_box(&mut copy);
}

#[test]
fn what_is_looked_for_is_found_in_registers_and_on_the_stack() {
    let (registers, _, _) = leaves(&load_key);
    let (_, stack, _) = leaves(&spill_key);
    assert!(registers >= 1 && stack >= 1, "{registers}, {stack}");
}

#[test]
fn registers_and_stack_are_clear_after_scrubbed_work() {
    let (registers, stack, _) = leaves(&|| {
        scrubbed(|| {
            spill_key();
            load_key();
        })
    });
    assert_eq!((registers, stack), (0, 0));
}

#[test]
fn registers_are_clear_after_a_panic() {
    let (registers, _, _) = leaves(&|| {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            scrubbed(|| {
                load_key();
                std::panic::resume_unwind(Box::new(()));
            })
        }));
        assert!(outcome.is_err());
    });
    assert_eq!(registers, 0);
}

#[test]
fn no_kernel_leaves_round_keys_behind() {
    for (name, path) in kernels().flat_map(paths) {
        let (registers, stack, _) = leaves(&|| scrubbed(&path));
        assert_eq!((registers, stack), (0, 0), "{name}");
    }
}

#[test]
fn more_of_the_stack_is_overwritten_than_any_kernel_uses() {
    for (name, path) in kernels().flat_map(paths) {
        let (_, _, depth) = leaves(&path);
        // A third is left for frames between the scrubbed call and the kernel.
        assert!(depth <= STACK_BYTES * 2 / 3, "{name}: {depth}");
    }
}
