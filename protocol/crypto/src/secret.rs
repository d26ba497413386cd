//! The wrapper that every secret value lives in.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

/// A secret: redacted in `Debug`, overwritten on drop, without `Serialize`.
///
/// Reading it is a visible act: `grep expose` lists every place that does.
pub struct Secret<T: Zeroize>(T);

/// 32 bytes from which a machine derives all its randomness.
pub type SecretSeed = Secret<[u8; 32]>;

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of a secret value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Lends the value to `read` and returns what it returns.
    pub fn expose<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.0)
    }
}

impl<const N: usize> Secret<[u8; N]> {
    /// Compares two secrets in constant time.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        bool::from(ConstantTimeEq::ct_eq(self, other))
    }
}

impl<const N: usize> ConstantTimeEq for Secret<[u8; N]> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.as_slice().ct_eq(other.0.as_slice())
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}
