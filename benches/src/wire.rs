//! What is long on the wire, as values and as bytes.

use cluster_core::{
    certificate::{Certificate, Contribution, MAX_CONTRIBUTION_BYTES},
    dkg::{Message, Step},
    encoding,
    recording::Recording,
};

use crate::dkg::MESSAGE_LIMIT;

/// A dealing, a contribution and a certificate of one ceremony, each with its encoding.
pub struct Encoded {
    dealing: Message,
    dealing_bytes: Vec<u8>,
    contribution: Contribution,
    contribution_bytes: Vec<u8>,
    certificate: Certificate,
    certificate_json: String,
}

/// One direction of one encoding.
pub struct Operation {
    /// What it is.
    pub name: &'static str,
    /// Length of the encoding in bytes.
    pub bytes: usize,
    /// Performs it once.
    pub work: fn(&Encoded),
}

impl Encoded {
    /// Takes them from a recording; `None` when it holds no dealing.
    #[must_use]
    pub fn new(recording: &Recording) -> Option<Self> {
        let (dealing_bytes, dealing) = recording.received.iter().find_map(|(_, bytes)| {
            let message = Message::decode(bytes, MESSAGE_LIMIT).ok()?;
            (message.step() == Some(Step::Deal)).then(|| (bytes.to_vec(), message))
        })?;
        let certificate = recording.certificate.clone();
        let attestation = certificate.attestations.first()?.clone();
        let contribution = Contribution { transcript: certificate.transcript.clone(), attestation };
        Some(Self {
            dealing,
            dealing_bytes,
            contribution_bytes: encoding::encode(&contribution),
            contribution,
            certificate_json: serde_json::to_string(&certificate).ok()?,
            certificate,
        })
    }

    /// Every encoding in both directions. Reading points includes the checks that their types promise.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        let (dealing, contribution) = (self.dealing_bytes.len(), self.contribution_bytes.len());
        let certificate = self.certificate_json.len();
        let operation = |name, bytes, work| Operation { name, bytes, work };
        vec![
            operation("write dealing", dealing, |it| keep(it.dealing.encode())),
            operation("read dealing", dealing, |it| keep(Message::decode(&it.dealing_bytes, MESSAGE_LIMIT))),
            operation("write contribution", contribution, |it| keep(encoding::encode(&it.contribution))),
            operation("read contribution", contribution, |it| {
                keep(encoding::decode::<Contribution>(&it.contribution_bytes, MAX_CONTRIBUTION_BYTES));
            }),
            operation("write certificate, JSON", certificate, |it| keep(serde_json::to_string(&it.certificate))),
            operation("read certificate, JSON", certificate, |it| keep(Certificate::from_json(&it.certificate_json))),
        ]
    }
}

fn keep<T>(value: T) {
    std::hint::black_box(value);
}
