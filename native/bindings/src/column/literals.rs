//! Values that stay themselves.

use std::cmp::Ordering;

/// A set of texts that is asked about every value, most of which have another length.
#[derive(Default)]
pub struct Literals {
    /// By length, then by bytes.
    texts: Vec<Box<[u8]>>,
    /// A bit for each length modulo 64 that occurs.
    lengths: u64,
}

fn order(left: &[u8], right: &[u8]) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

impl Literals {
    /// The set of these texts; the empty one stays itself anyway.
    pub fn new(texts: Vec<String>) -> Literals {
        let mut texts: Vec<Box<[u8]>> =
            texts.into_iter().filter(|text| !text.is_empty()).map(|text| text.into_bytes().into()).collect();
        texts.sort_unstable_by(|left, right| order(left, right));
        texts.dedup();
        let lengths = texts.iter().fold(0, |lengths, text| lengths | 1 << (text.len() % 64));
        Literals { texts, lengths }
    }

    /// All of them, without order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.texts.iter().map(|text| &**text)
    }

    /// Whether a text is one of them.
    #[inline]
    pub fn contains(&self, text: &[u8]) -> bool {
        self.lengths >> (text.len() % 64) & 1 == 1 && self.finds(text)
    }

    fn finds(&self, text: &[u8]) -> bool {
        self.texts.binary_search_by(|literal| order(literal, text)).is_ok()
    }
}
