//! Decoding contributions. Most of a contribution is the transcript, with thousands of points whose subgroup is checked,
//! and honest operators send the same bytes: they are decoded once per ceremony.

use std::collections::VecDeque;
use std::sync::Mutex;

use cluster_core::certificate::{Contribution, Transcript};
use cluster_core::encoding::{decode, encode, DecodeError};
use cluster_net::codec::Encoded;
use cluster_net::limits;

/// Transcripts kept: those of ceremonies that end at the same time. One of 1,000 validators takes about 2 MB.
const KEPT: usize = 8;

/// Decodes contributions, with the transcripts of the last ones at hand.
#[derive(Default)]
pub(crate) struct Decoder {
    /// Locked while a transcript is decoded, so that operators that finish together wait for the first one's.
    known: Mutex<VecDeque<Known>>,
}

struct Known {
    bytes: Vec<u8>,
    transcript: Transcript,
}

impl Decoder {
    /// Decodes a contribution. Blocks.
    pub(super) fn decode(&self, encoded: &Encoded<Contribution>) -> Result<Contribution, DecodeError> {
        let mut known = self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // The encoding of the wrapper is the length of its content and the content.
        let wrapped = encode(encoded);
        let bytes = wrapped.get(8..).unwrap_or_default();
        // A contribution is encoded as its transcript, then its attestation.
        if let Some(held) = known.iter().find(|held| bytes.starts_with(&held.bytes)) {
            let attestation = decode(&bytes[held.bytes.len()..], limits::PUBLISH_BYTES)?;
            return Ok(Contribution { transcript: held.transcript.clone(), attestation });
        }
        let contribution = encoded.decode()?;
        let transcript = contribution.transcript.clone();
        known.push_front(Known { bytes: encode(&transcript), transcript });
        known.truncate(KEPT);
        Ok(contribution)
    }
}
