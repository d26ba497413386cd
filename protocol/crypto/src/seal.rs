//! Encryption of shares to operators.
use crate::hex_bytes::fixed_bytes;

/// Bytes of an [`Envelope`].
pub const ENVELOPE_BYTES: usize = 93;

/// One share sealed to one operator, in the 93-byte format that contracts and apps know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Envelope([u8; ENVELOPE_BYTES]);

/// Why sealing or reading sealed data fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// The envelope has another length.
    #[error("the envelope does not have 93 bytes")]
    EnvelopeLength,
}

impl Envelope {
    /// Takes 93 bytes.
    ///
    /// # Errors
    /// [`SealError::EnvelopeLength`] for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        bytes.try_into().map(Self).map_err(|_| SealError::EnvelopeLength)
    }

    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ENVELOPE_BYTES] {
        self.0
    }
}

fixed_bytes!(Envelope, ENVELOPE_BYTES);
