//! The tweak, and the part of the round function that does not depend on the value.
//!
//! A round encrypts P || Q by CBC-MAC, with Q = T || padding || round || NUM(half) (SP 800-38G,
//! algorithm 7, steps 6.i and 6.ii). Everything before the block that holds the round number is the
//! same in all ten rounds, and the same for all values that share a tweak: a *template* is the
//! CBC-MAC state before that block, with the tweak's last bytes already added to it.

use super::parameters::{ParameterError, Parameters};
use super::portable::LANES;
use crate::aes::{AesKey, Block};
use crate::kernel::Kernel;

/// The tweak of a batch of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tweak<'a> {
    /// All values have this tweak.
    Shared(&'a [u8]),
    /// Every value brings its own tweak, all of one length.
    Each {
        /// Bytes of a tweak.
        length: usize,
    },
}

/// The templates of one batch.
pub(crate) struct BatchTemplates {
    pub(crate) blocks: [Block; LANES],
    /// Whether they differ; if not, all are like the first.
    pub(crate) each: bool,
}

/// Computes templates.
pub(crate) struct Templates {
    /// The CBC-MAC state after P.
    after_parameters: Block,
    tweak_length: usize,
    /// Blocks of Q before the one that holds the round number.
    tweak_blocks: usize,
    shared: Option<Block>,
}

impl Templates {
    pub(crate) fn new(
        key: &AesKey,
        kernel: Kernel,
        parameters: &Parameters,
        tweak: Tweak<'_>,
    ) -> Result<Templates, ParameterError> {
        let tweak_length = match tweak {
            Tweak::Shared(bytes) => bytes.len(),
            Tweak::Each { length } => length,
        };
        let length = u32::try_from(tweak_length).map_err(|_| ParameterError::TweakTooLong)?;
        let mut after_parameters = parameters.first_block(length);
        key.encrypt_block(&mut after_parameters);
        // The round number and the half fill the end of Q, so whatever tweak bytes share a block
        // with the round number are in the last `round_blocks` blocks.
        let half_bytes = parameters.half_bytes();
        let blocks = (tweak_length + half_bytes + 1).div_ceil(16);
        let mut templates =
            Templates { after_parameters, tweak_length, tweak_blocks: blocks - round_blocks(half_bytes), shared: None };
        if let Tweak::Shared(bytes) = tweak {
            let mut template = [after_parameters];
            templates.absorb(key, kernel, bytes, &mut template);
            templates.shared = Some(template[0]);
        }
        Ok(templates)
    }

    /// Bytes of tweak that every value brings.
    pub(crate) fn bytes_each(&self) -> usize {
        if self.shared.is_some() { 0 } else { self.tweak_length }
    }

    /// Templates to start with, right for all values if they share a tweak.
    pub(crate) fn prepare(&self) -> BatchTemplates {
        let template = self.shared.unwrap_or(self.after_parameters);
        BatchTemplates { blocks: [template; LANES], each: self.shared.is_none() }
    }

    /// Makes the templates those of `count` values, at most [`LANES`]; `tweaks` holds the tweaks of
    /// just these.
    pub(crate) fn refill(
        &self,
        key: &AesKey,
        kernel: Kernel,
        count: usize,
        tweaks: &[u8],
        templates: &mut BatchTemplates,
    ) {
        if templates.each {
            let blocks = &mut templates.blocks[..count];
            blocks.fill(self.after_parameters);
            self.absorb(key, kernel, tweaks, blocks);
        }
    }

    /// CBC-MAC over the tweaks, in lockstep.
    fn absorb(&self, key: &AesKey, kernel: Kernel, tweaks: &[u8], states: &mut [Block]) {
        if self.tweak_length == 0 {
            return;
        }
        for block in 0..=self.tweak_blocks {
            let start = (16 * block).min(self.tweak_length);
            let end = (start + 16).min(self.tweak_length);
            for (state, tweak) in states.iter_mut().zip(tweaks.chunks_exact(self.tweak_length)) {
                for (byte, tweak_byte) in state.iter_mut().zip(&tweak[start..end]) {
                    *byte ^= tweak_byte;
                }
            }
            if block < self.tweak_blocks {
                key.encrypt_blocks(kernel, states);
            }
        }
    }
}

/// Blocks of Q from the one that holds the round number to the end.
pub(crate) fn round_blocks(half_bytes: usize) -> usize {
    (half_bytes + 1).div_ceil(16)
}
