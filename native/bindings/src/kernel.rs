//! Which kernel the process uses: the best one of this processor, or what `TOKENKIT_KERNEL` says.

use std::sync::atomic::{AtomicBool, Ordering};
use tokenkit_algorithms::kernel::Kernel;

static PORTABLE: AtomicBool = AtomicBool::new(false);

/// The kernel in use.
pub fn current() -> Kernel {
    if PORTABLE.load(Ordering::Relaxed) { Kernel::PORTABLE } else { Kernel::best() }
}

/// Chooses `auto` or `portable`; false if the name is another.
pub fn select(name: &str) -> bool {
    match name {
        "auto" => PORTABLE.store(false, Ordering::Relaxed),
        "portable" => PORTABLE.store(true, Ordering::Relaxed),
        _ => return false,
    }
    true
}

/// What was chosen.
pub fn selected() -> &'static str {
    if PORTABLE.load(Ordering::Relaxed) { "portable" } else { "auto" }
}
