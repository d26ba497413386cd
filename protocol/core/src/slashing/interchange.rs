//! The interchange format of EIP-3076, version 5.

use serde::{Deserialize, Serialize};

use crate::{
    beacon::{Epoch, Root, Slot},
    encoding::{hex_array, shorten},
};

/// The version that is written and read.
pub const FORMAT_VERSION: &str = "5";
/// Votes of 1,000 validators over a year without pruning need more; nobody keeps those. Parsed in memory.
pub const MAX_INTERCHANGE_BYTES: usize = 256 * 1024 * 1024;

/// Why a file is no interchange file that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterchangeError {
    /// More bytes than are read.
    #[error("the file has {found} bytes; at most {limit} are read")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A field is missing or wrong.
    #[error("the field `{field}` is wrong: {reason}")]
    Field {
        /// Its path, such as `data[3].signed_blocks[0].slot`; `.` is the file as a whole.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// Another version of the format.
    #[error("the field `metadata.interchange_format_version` is `{0}`; this version reads {FORMAT_VERSION}")]
    Version(String),
}

/// A file of signed messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interchange {
    /// Format and chain.
    pub metadata: Metadata,
    /// Validators; a key may occur more than once.
    pub data: Vec<ValidatorHistory>,
}

/// Format and chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// [`FORMAT_VERSION`].
    pub interchange_format_version: String,
    /// Names the chain.
    #[serde(with = "hex_array")]
    pub genesis_validators_root: Root,
}

/// What one validator has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorHistory {
    /// The validator.
    #[serde(with = "hex_array")]
    pub pubkey: [u8; 48],
    /// Its blocks.
    pub signed_blocks: Vec<SignedBlock>,
    /// Its votes.
    pub signed_attestations: Vec<SignedAttestation>,
}

/// A signed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBlock {
    /// The slot.
    pub slot: Slot,
    /// What was signed.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_root")]
    pub signing_root: Option<Root>,
}

/// A signed vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedAttestation {
    /// The source.
    pub source_epoch: Epoch,
    /// The target.
    pub target_epoch: Epoch,
    /// What was signed.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_root")]
    pub signing_root: Option<Root>,
}

impl Interchange {
    /// An empty file of a chain.
    #[must_use]
    pub fn new(genesis_validators_root: Root) -> Self {
        let metadata = Metadata { interchange_format_version: FORMAT_VERSION.to_owned(), genesis_validators_root };
        Self { metadata, data: Vec::new() }
    }

    /// Reads a file. Errors name the field.
    pub fn from_json(bytes: &[u8]) -> Result<Self, InterchangeError> {
        if bytes.len() > MAX_INTERCHANGE_BYTES {
            return Err(InterchangeError::TooLong { found: bytes.len(), limit: MAX_INTERCHANGE_BYTES });
        }
        let mut input = serde_json::Deserializer::from_slice(bytes);
        let file: Self = serde_path_to_error::deserialize(&mut input).map_err(|error| {
            // A name may be the empty text.
            let field = Some(error.path().to_string()).filter(|path| !path.is_empty());
            InterchangeError::Field {
                field: shorten(field.as_deref().unwrap_or("."), 120),
                reason: shorten(&error.inner().to_string(), 200),
            }
        })?;
        input.end().map_err(|error| InterchangeError::Field { field: ".".to_owned(), reason: error.to_string() })?;
        if file.metadata.interchange_format_version != FORMAT_VERSION {
            return Err(InterchangeError::Version(shorten(&file.metadata.interchange_format_version, 40)));
        }
        Ok(file)
    }
}

mod optional_root {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::{beacon::Root, encoding::hex_array};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Wrapped(#[serde(with = "hex_array")] Root);

    pub(super) fn serialize<S: Serializer>(root: &Option<Root>, out: S) -> Result<S::Ok, S::Error> {
        root.map(Wrapped).serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Root>, D::Error> {
        Ok(Option::<Wrapped>::deserialize(input)?.map(|root| root.0))
    }
}
