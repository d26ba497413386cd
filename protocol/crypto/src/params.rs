//! The sizes of a committee and the x coordinates of its shares.

use std::num::NonZeroU8;

use serde::{Deserialize, Serialize};

/// Size of a committee, n = 3f+1, and its threshold, t = 2f+1.
///
/// Exactly four sizes exist: 3 of 4, 5 of 7, 7 of 10 and 9 of 13.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct Threshold {
    n: u8,
    t: u8,
}

/// Why a committee size is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ThresholdError {
    /// The number of operators is not one of the four sizes.
    #[error("a committee has 4, 7, 10 or 13 operators, not {n}")]
    Size {
        /// Number of operators asked for.
        n: usize,
    },
}

impl Threshold {
    /// The threshold for a committee of `n` operators.
    ///
    /// # Errors
    /// [`ThresholdError::Size`] unless `n` is 4, 7, 10 or 13.
    pub fn for_operators(n: usize) -> Result<Self, ThresholdError> {
        let (n, t) = match n {
            4 => (4, 3),
            7 => (7, 5),
            10 => (10, 7),
            13 => (13, 9),
            n => return Err(ThresholdError::Size { n }),
        };
        Ok(Self { n, t })
    }

    /// Number of operators.
    #[must_use]
    pub fn n(self) -> usize {
        usize::from(self.n)
    }

    /// Number of shares that make a signature.
    #[must_use]
    pub fn t(self) -> usize {
        usize::from(self.t)
    }

    /// Number of operators that may fail or lie.
    #[must_use]
    pub fn f(self) -> usize {
        self.n() - self.t()
    }
}

impl From<Threshold> for u8 {
    fn from(threshold: Threshold) -> Self {
        threshold.n
    }
}

impl TryFrom<u8> for Threshold {
    type Error = ThresholdError;

    fn try_from(n: u8) -> Result<Self, ThresholdError> {
        Self::for_operators(usize::from(n))
    }
}

/// The x coordinate of a share: the 1-based position of its operator in the sorted committee.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ShareIndex(NonZeroU8);

impl ShareIndex {
    /// An index, or `None` for zero, where the secret itself lies.
    #[must_use]
    pub fn new(index: u8) -> Option<Self> {
        NonZeroU8::new(index).map(Self)
    }

    /// The index as a number, 1 or more.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0.get()
    }

    /// The indices 1..=n of a committee, in order.
    pub fn all(threshold: Threshold) -> impl Iterator<Item = Self> {
        (1..=threshold.n).filter_map(Self::new)
    }

    /// Whether the index belongs to a committee of this size.
    #[must_use]
    pub fn is_within(self, threshold: Threshold) -> bool {
        usize::from(self.get()) <= threshold.n()
    }
}
