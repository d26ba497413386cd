//! Serde for lists of validator keys: serde itself stops at arrays of 32 bytes.

use cluster_core::encoding::hex_array;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::request::Pubkey;

/// A key as its bare bytes.
#[derive(Serialize, Deserialize)]
struct Key(#[serde(with = "hex_array")] Pubkey);

/// `Vec<Pubkey>`.
pub(super) mod keys {
    use super::*;

    pub(in crate::signer) fn serialize<S: Serializer>(list: &[Pubkey], out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(list.iter().map(|key| Key(*key)))
    }

    pub(in crate::signer) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Pubkey>, D::Error> {
        Ok(Vec::<Key>::deserialize(input)?.into_iter().map(|key| key.0).collect())
    }
}

/// `Vec<(Pubkey, T)>`.
pub(super) mod keyed {
    use super::*;

    pub(in crate::signer) fn serialize<S: Serializer, T: Serialize>(
        list: &[(Pubkey, T)],
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.collect_seq(list.iter().map(|(key, value)| (Key(*key), value)))
    }

    pub(in crate::signer) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        input: D,
    ) -> Result<Vec<(Pubkey, T)>, D::Error> {
        Ok(Vec::<(Key, T)>::deserialize(input)?.into_iter().map(|(key, value)| (key.0, value)).collect())
    }
}

/// `Vec<(Pubkey, A, B)>`.
pub(super) mod triples {
    use super::*;

    pub(in crate::signer) fn serialize<S: Serializer, A: Serialize, B: Serialize>(
        list: &[(Pubkey, A, B)],
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.collect_seq(list.iter().map(|(key, a, b)| (Key(*key), a, b)))
    }

    pub(in crate::signer) fn deserialize<'de, D: Deserializer<'de>, A: Deserialize<'de>, B: Deserialize<'de>>(
        input: D,
    ) -> Result<Vec<(Pubkey, A, B)>, D::Error> {
        Ok(Vec::<(Key, A, B)>::deserialize(input)?.into_iter().map(|(key, a, b)| (key.0, a, b)).collect())
    }
}
