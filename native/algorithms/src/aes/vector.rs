//! AES with VAES: four blocks in a register, several registers in lockstep.

use std::arch::x86_64::{
    __m512i, _mm512_aesenc_epi128, _mm512_aesenclast_epi128, _mm512_load_si512, _mm512_loadu_si512,
    _mm512_setzero_si512, _mm512_storeu_si512, _mm512_xor_si512,
};

use super::Block;
use super::key_schedule::RoundKeys;

/// Registers in lockstep: enough to hide the latency of one AES round.
const LOCKSTEP: usize = 8;

/// One round key as a register.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn round_key(keys: &RoundKeys, round: usize) -> __m512i {
    // SAFETY: a row is 64 bytes long, and rows are 64-byte aligned because the struct is.
    unsafe { _mm512_load_si512(keys.row(round).as_ptr().cast()) }
}

/// All rounds after the first key addition (FIPS 197, section 5.1), on `4 * N` blocks.
#[inline]
#[target_feature(enable = "avx512f,vaes")]
pub(crate) fn finish<const N: usize>(keys: &RoundKeys, mut blocks: [__m512i; N]) -> [__m512i; N] {
    for round in 1..10 {
        blocks = one_round(keys, round, blocks);
    }
    if keys.rounds() > 10 {
        blocks = one_round(keys, 10, blocks);
        blocks = one_round(keys, 11, blocks);
    }
    if keys.rounds() > 12 {
        blocks = one_round(keys, 12, blocks);
        blocks = one_round(keys, 13, blocks);
    }
    let last = round_key(keys, keys.rounds());
    for block in &mut blocks {
        *block = _mm512_aesenclast_epi128(*block, last);
    }
    blocks
}

#[inline]
#[target_feature(enable = "avx512f,vaes")]
fn one_round<const N: usize>(keys: &RoundKeys, round: usize, mut blocks: [__m512i; N]) -> [__m512i; N] {
    let key = round_key(keys, round);
    for block in &mut blocks {
        *block = _mm512_aesenc_epi128(*block, key);
    }
    blocks
}

/// Encrypts every block on its own.
#[target_feature(enable = "avx512f,vaes")]
pub(crate) fn encrypt_blocks(keys: &RoundKeys, blocks: &mut [Block]) {
    let first = round_key(keys, 0);
    let (batches, rest) = blocks.as_chunks_mut::<{ 4 * LOCKSTEP }>();
    for batch in batches {
        encrypt_registers::<LOCKSTEP>(keys, first, batch.as_flattened_mut());
    }
    let (registers, rest) = rest.as_chunks_mut::<4>();
    for register in registers {
        encrypt_registers::<1>(keys, first, register.as_flattened_mut());
    }
    if !rest.is_empty() {
        let mut padded = [[0u8; 16]; 4];
        padded[..rest.len()].copy_from_slice(rest);
        encrypt_registers::<1>(keys, first, padded.as_flattened_mut());
        rest.copy_from_slice(&padded[..rest.len()]);
    }
}

#[inline]
#[target_feature(enable = "avx512f,vaes")]
fn encrypt_registers<const N: usize>(keys: &RoundKeys, first: __m512i, bytes: &mut [u8]) {
    let (chunks, _) = bytes.as_chunks_mut::<64>();
    let mut registers = [_mm512_setzero_si512(); N];
    for (register, chunk) in registers.iter_mut().zip(chunks.iter()) {
        // SAFETY: the chunk is 64 bytes long, and the load needs no alignment.
        let loaded = unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) };
        *register = _mm512_xor_si512(loaded, first);
    }
    for (register, chunk) in finish(keys, registers).iter().zip(chunks) {
        // SAFETY: the chunk is 64 bytes long, and the store needs no alignment.
        unsafe { _mm512_storeu_si512(chunk.as_mut_ptr().cast(), *register) };
    }
}
