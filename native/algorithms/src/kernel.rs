//! Which implementation runs: the portable one, or the one for x86-64 vector extensions.

/// An implementation that this processor can run.
///
/// The vector kernel can only be had from [`Kernel::vector`], which looks at the processor first.
/// Calls into functions compiled for its extensions are sound because of that, so the field stays
/// private.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kernel(Implementation);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Implementation {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Vector,
}

impl Kernel {
    /// Runs on every processor; AES uses the processor's AES instructions where it has them.
    pub const PORTABLE: Kernel = Kernel(Implementation::Portable);

    /// The kernel for VAES and AVX-512 (F, BW, DQ, VL, IFMA, VBMI), if this processor has them all.
    #[must_use]
    pub fn vector() -> Option<Kernel> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("vaes")
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("avx512vbmi")
        {
            return Some(Kernel(Implementation::Vector));
        }
        None
    }

    /// The fastest kernel that this processor can run.
    #[must_use]
    pub fn best() -> Kernel {
        Kernel::vector().unwrap_or(Kernel::PORTABLE)
    }

    /// `"portable"` or `"vector"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Implementation::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Implementation::Vector => "vector",
        }
    }

    /// Whether the functions compiled for the vector extensions may be called.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn is_vector(self) -> bool {
        self != Kernel::PORTABLE
    }
}
