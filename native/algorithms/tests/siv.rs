//! AES-SIV and AES-CMAC against published vectors, and batches against single values.

mod wycheproof;

use tokenkit_algorithms::cmac::Cmac;
use tokenkit_algorithms::kernel::Kernel;
use tokenkit_algorithms::siv::{MAX_ASSOCIATED_COMPONENTS, NotAuthentic, Siv, TAG_BYTES};
use wycheproof::{bytes, for_each_case, hex};

fn kernels() -> Vec<Kernel> {
    [Some(Kernel::PORTABLE), Kernel::vector()].into_iter().flatten().collect()
}

/// SplitMix64: repeatable bytes and sizes for the tests.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

fn slices(values: &[Vec<u8>]) -> Vec<&[u8]> {
    values.iter().map(Vec::as_slice).collect()
}

fn seal_batch(siv: &Siv, kernel: Kernel, associated: &[u8], values: &[Vec<u8>]) -> Vec<u8> {
    let length = values.iter().map(|value| TAG_BYTES + value.len()).sum();
    let mut target = vec![0xa5; length];
    siv.seal_batch(kernel, associated, &slices(values), &mut target);
    target
}

fn open_batch(siv: &Siv, kernel: Kernel, associated: &[u8], sealed: &[Vec<u8>]) -> (Vec<u8>, Vec<bool>) {
    let length = sealed.iter().map(|sealed| sealed.len().saturating_sub(TAG_BYTES)).sum();
    let mut target = vec![0xa5; length];
    let mut authentic = vec![false; sealed.len()];
    siv.open_batch(kernel, associated, &slices(sealed), &mut target, &mut authentic);
    (target, authentic)
}

/// RFC 4493 section 4: the four AES-128 examples.
#[test]
fn cmac_agrees_with_rfc_4493() {
    let message = hex("6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
         30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710");
    let cmac = Cmac::new(&hex("2b7e151628aed2a6abf7158809cf4f3c")).unwrap();
    for kernel in kernels() {
        for (length, mac) in [
            (0, "bb1d6929e95937287fa37d129b756746"),
            (16, "070a16b46b4d4144f79bdd9dd04a287c"),
            (40, "dfa66747de9ae63030ca32611497c827"),
            (64, "51f0bebf7e3b9d92fc49741779363cfe"),
        ] {
            assert_eq!(cmac.mac(kernel, &message[..length])[..], hex(mac));
        }
    }
}

/// RFC 5297 appendix A.1: one component of associated data.
#[test]
fn rfc_5297_deterministic_example() {
    let siv = Siv::new(&hex("fffefdfc fbfaf9f8 f7f6f5f4 f3f2f1f0
         f0f1f2f3 f4f5f6f7 f8f9fafb fcfdfeff"))
    .unwrap();
    let associated = hex("10111213 14151617 18191a1b 1c1d1e1f 20212223 24252627");
    let plaintext = hex("11223344 55667788 99aabbcc ddee");
    let sealed = hex("85632d07 c6e8f37f 950acd32 0a2ecc93 40c02b96 90c4dc04 daef7f6a fe5c");
    for kernel in kernels() {
        assert_eq!(siv.seal(kernel, &[&associated], &plaintext), sealed);
        assert_eq!(siv.open(kernel, &[&associated], &sealed), Ok(plaintext.clone()));
    }
}

/// RFC 5297 appendix A.2: three components, the last of them a nonce.
#[test]
fn rfc_5297_nonce_based_example() {
    let siv = Siv::new(&hex("7f7e7d7c 7b7a7978 77767574 73727170
         40414243 44454647 48494a4b 4c4d4e4f"))
    .unwrap();
    let first = hex("00112233 44556677 8899aabb ccddeeff deaddada deaddada
         ffeeddcc bbaa9988 77665544 33221100");
    let second = hex("10203040 50607080 90a0");
    let nonce = hex("09f91102 9d74e35b d84156c5 635688c0");
    let plaintext = hex("74686973 20697320 736f6d65 20706c61 696e7465 78742074 6f20656e
         63727970 74207573 696e6720 5349562d 414553");
    let sealed = hex("7bdb6e3b 432667eb 06f4d14b ff2fbd0f cb900f2f ddbe4043 26601965
         c889bf17 dba77ceb 094fa663 b7a3f748 ba8af829 ea64ad54 4a272e9c 485b62a3 fd5c0d");
    let associated: [&[u8]; 3] = [&first, &second, &nonce];
    for kernel in kernels() {
        assert_eq!(siv.seal(kernel, &associated, &plaintext), sealed);
        assert_eq!(siv.open(kernel, &associated, &sealed), Ok(plaintext.clone()));
        assert_eq!(siv.open(kernel, &associated[..2], &sealed), Err(NotAuthentic));
    }
}

/// Every Wycheproof case, valid and invalid, by the single and the batch calls.
#[test]
fn wycheproof_aes_siv_cmac() {
    for_each_case("aes_siv_cmac_test.json.gz", |_, case| {
        let name = format!("case {}", case["tcId"]);
        let siv = Siv::new(&bytes(case, "key")).unwrap();
        let associated = bytes(case, "aad");
        let message = bytes(case, "msg");
        let sealed = bytes(case, "ct");
        let valid = case["result"] == "valid";
        for kernel in kernels() {
            let copies = vec![sealed.clone(); 3];
            let (plaintexts, authentic) = open_batch(&siv, kernel, &associated, &copies);
            assert_eq!(authentic, [valid; 3], "{name}");
            let opened = siv.open(kernel, &[&associated], &sealed);
            if valid {
                assert_eq!(opened.as_ref(), Ok(&message), "{name}");
                assert_eq!(plaintexts, message.repeat(3), "{name}");
                assert_eq!(siv.seal(kernel, &[&associated], &message), sealed, "{name}");
                let batch = seal_batch(&siv, kernel, &associated, &vec![message.clone(); 3]);
                assert_eq!(batch, sealed.repeat(3), "{name}");
            } else {
                assert_eq!(opened, Err(NotAuthentic), "{name}");
                assert!(plaintexts.iter().all(|byte| *byte == 0), "{name}");
            }
        }
    });
}

/// Sizes 0 to 200 mixed in one batch, batch sizes around the lane count: as one value at a time.
#[test]
fn batches_agree_with_single_values() {
    let mut random = Random(1);
    for key_length in [32, 48, 64] {
        let siv = Siv::new(&random.bytes(key_length)).unwrap();
        let associated = random.bytes(key_length / 3);
        for count in [0, 1, 7, 64, 65, 300, 2_500] {
            let values: Vec<Vec<u8>> = (0..count)
                .map(|_| {
                    let length = random.below(201);
                    random.bytes(length)
                })
                .collect();
            let single: Vec<Vec<u8>> =
                values.iter().map(|value| siv.seal(Kernel::PORTABLE, &[&associated], value)).collect();
            for kernel in kernels() {
                assert_eq!(seal_batch(&siv, kernel, &associated, &values), single.concat());
                let (plaintexts, authentic) = open_batch(&siv, kernel, &associated, &single);
                assert_eq!(plaintexts, values.concat());
                assert!(authentic.iter().all(|authentic| *authentic));
            }
        }
    }
}

/// Every length up to 200 alone, and long values among short ones, come back as they were.
#[test]
fn every_length_comes_back() {
    let mut random = Random(2);
    let siv = Siv::new(&random.bytes(64)).unwrap();
    let mut values: Vec<Vec<u8>> = (0..=200).map(|length| random.bytes(length)).collect();
    values.extend([4_095, 4_096, 4_097, 70_001].map(|length| random.bytes(length)));
    values.extend((0..200).map(|_| random.bytes(9)));
    for kernel in kernels() {
        let sealed: Vec<Vec<u8>> = values.iter().map(|value| siv.seal(kernel, &[b""], value)).collect();
        for (value, sealed) in values.iter().zip(&sealed) {
            assert_eq!(siv.open(kernel, &[b""], sealed).as_ref(), Ok(value));
        }
        assert_eq!(seal_batch(&siv, kernel, b"", &values), sealed.concat());
        assert_eq!(open_batch(&siv, kernel, b"", &sealed).0, values.concat());
    }
}

/// A change of any byte is noticed, and its neighbours in the batch still open.
#[test]
fn a_change_of_any_byte_is_refused() {
    let mut random = Random(3);
    let siv = Siv::new(&random.bytes(64)).unwrap();
    for length in [0, 5, 15, 16, 17, 32, 40] {
        let value = random.bytes(length);
        for kernel in kernels() {
            let sealed = siv.seal(kernel, &[b""], &value);
            for position in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[position] ^= 1 << random.below(8);
                assert_eq!(siv.open(kernel, &[b""], &changed), Err(NotAuthentic));
                let batch = [sealed.clone(), changed, sealed.clone()];
                let (plaintexts, authentic) = open_batch(&siv, kernel, b"", &batch);
                assert_eq!(authentic, [true, false, true]);
                assert_eq!(plaintexts, [&value[..], &vec![0; length], &value].concat());
            }
        }
    }
}

/// Truncated and lengthened values, other associated data and other keys are refused.
#[test]
fn what_was_not_sealed_so_is_refused() {
    let mut random = Random(4);
    let siv = Siv::new(&random.bytes(64)).unwrap();
    let other = Siv::new(&random.bytes(64)).unwrap();
    let value = random.bytes(20);
    for kernel in kernels() {
        let sealed = siv.seal(kernel, &[b""], &value);
        for length in 0..sealed.len() {
            let shorter = sealed[..length].to_vec();
            assert_eq!(siv.open(kernel, &[b""], &shorter), Err(NotAuthentic));
            let (plaintexts, authentic) = open_batch(&siv, kernel, b"", &[shorter, sealed.clone()]);
            assert_eq!(authentic, [false, true]);
            let zeros = vec![0; length.saturating_sub(TAG_BYTES)];
            assert_eq!(plaintexts, [zeros, value.clone()].concat());
        }
        let longer = [&sealed[..], &[0]].concat();
        assert_eq!(siv.open(kernel, &[b""], &longer), Err(NotAuthentic));
        assert_eq!(siv.open(kernel, &[], &sealed), Err(NotAuthentic));
        assert_eq!(siv.open(kernel, &[b"a"], &sealed), Err(NotAuthentic));
        assert_eq!(siv.open(kernel, &[b"", b""], &sealed), Err(NotAuthentic));
        assert_eq!(other.open(kernel, &[b""], &sealed), Err(NotAuthentic));
        let too_many = vec![&b""[..]; MAX_ASSOCIATED_COMPONENTS + 1];
        assert_eq!(siv.open(kernel, &too_many, &sealed), Err(NotAuthentic));
    }
}

/// Only 32, 48 and 64 bytes make a key.
#[test]
fn other_key_lengths_are_refused() {
    for length in 0..=130 {
        let accepted = Siv::new(&vec![7; length]).is_ok();
        assert_eq!(accepted, [32, 48, 64].contains(&length), "{length} bytes");
    }
}

/// The debug representation shows nothing of the key.
#[test]
fn debug_shows_no_key() {
    let siv = Siv::new(&[0xab; 64]).unwrap();
    assert_eq!(format!("{siv:?}"), "Siv { .. }");
}
