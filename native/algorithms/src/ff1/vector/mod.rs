//! FF1 on VAES and AVX-512 IFMA, for halves of up to 512 bits: eight values to a register.
//!
//! A *group* is eight values; value `k` of a group is in 64-bit lane `2k` if `k < 4`, else in lane
//! `2(k - 4) + 1`, so that the even lanes become the blocks of one register in their order, and the
//! odd lanes those of another. Halves above 52 bits are two limbs of 52 bits, low and high, and those
//! above 96 bits, up to 512, as many as their length takes.
//!
//! Every function here is compiled for [`Kernel::vector`](crate::kernel::Kernel::vector)'s
//! extensions and may be called only where that kernel exists.

pub(super) mod ascii;
mod decimal;
mod halves;
mod limbs;
mod long;
mod long_values;
mod narrow;
mod registers;
mod text;
mod wide;

pub(super) use self::halves::{narrow_halves, wide_halves};
pub(super) use self::long_values::{LONG_LANES, LongPath, LongText};

/// Values in a register.
const GROUP: usize = 8;
/// Groups in a full batch.
const GROUPS: usize = super::portable::LANES / GROUP;
/// Bits of a limb.
const LIMB_BITS: u32 = 52;
