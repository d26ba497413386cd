//! Roots, SSZ and JSON of single containers.

use std::fmt::Debug;

use cluster_core::beacon::{
    AggregateAndProof, Attestation, AttestationData, BeaconBlockHeader, BitList, BitVector, BitsError, Checkpoint,
    ContributionAndProof, Preset, Root, Signed, SyncCommitteeContribution, ValidatorRegistration, VoluntaryExit,
};
use cluster_core::encoding::{decode, encode};
use serde::{de::DeserializeOwned, Serialize};
use serde_json::{json, Value};
use ssz::{Decode, Encode};
use tree_hash::TreeHash;

use super::{bytes, root, vector};

/// JSON and the binary encoding give the value back.
fn read<T: DeserializeOwned + Serialize + PartialEq + Debug>(json: &Value) -> T {
    let value: T = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&value).unwrap(), *json);
    assert_eq!(decode::<T>(&encode(&value), 1 << 20).unwrap(), value);
    value
}

fn fixed<T>(row: &Value) -> (Vec<u8>, Root)
where
    T: DeserializeOwned + Serialize + PartialEq + Debug + Encode + Decode + TreeHash,
{
    let value: T = read(&row["value"]);
    assert_eq!(T::from_ssz_bytes(&bytes(&row["serialized"])).unwrap(), value);
    (value.as_ssz_bytes(), value.tree_hash_root().0)
}

/// These vectors write bitfields as digits, index 0 first.
fn with_hex_bits(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let digits =
                    |value: &Value| value.as_str().unwrap().bytes().map(|digit| digit == b'1').collect::<Vec<_>>();
                let value = match name.as_str() {
                    "committee_bits" => json!(BitVector::from_bits(&digits(value))),
                    "aggregation_bits" if fields.contains_key("subcommittee_index") => {
                        json!(BitVector::from_bits(&digits(value)))
                    }
                    "aggregation_bits" => json!(BitList::from_bits(&digits(value))),
                    _ => with_hex_bits(value),
                };
                (name.clone(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// Made with remerkleable; mainnet preset.
#[test]
fn roots_and_bytes_of_another_implementation() {
    let mut checked = 0;
    for row in vector("ssz-generated/hash_tree_root.json").as_array().unwrap() {
        let value = with_hex_bits(&row["value"]);
        let (ssz, found) = match row["type"].as_str().unwrap() {
            "Checkpoint" => fixed::<Checkpoint>(row),
            "AttestationData" => fixed::<AttestationData>(row),
            "VoluntaryExit" => fixed::<VoluntaryExit>(row),
            "BeaconBlockHeader" => fixed::<BeaconBlockHeader>(row),
            "ValidatorRegistrationV1" => fixed::<ValidatorRegistration>(row),
            "SyncCommitteeContribution" => {
                let value: SyncCommitteeContribution = read(&value);
                value.check(Preset::Mainnet).unwrap();
                (value.ssz(), value.root(Preset::Mainnet))
            }
            "ContributionAndProof" => {
                let value: ContributionAndProof = read(&value);
                (value.ssz(), value.root(Preset::Mainnet))
            }
            "AttestationElectra" => {
                let value: Attestation = read(&value);
                value.check(Preset::Mainnet).unwrap();
                assert_eq!(Attestation::from_ssz(&value.ssz(), Preset::Mainnet).unwrap(), value);
                let digits = row["value"]["aggregation_bits"].as_str().unwrap();
                assert_eq!(value.participants(), digits.matches('1').count());
                assert_eq!(value.aggregation_bits.len(), digits.len());
                (value.ssz(), value.root(Preset::Mainnet))
            }
            "AggregateAndProofElectra" => {
                let value: AggregateAndProof = read(&value);
                (value.ssz(), value.root(Preset::Mainnet))
            }
            _ => continue,
        };
        assert_eq!(ssz, bytes(&row["serialized"]), "{row}");
        assert_eq!(found, root(&row["root"]), "{row}");
        checked += 1;
    }
    assert_eq!(checked, 72);
}

/// Made with Lodestar's types, both presets.
#[test]
fn aggregates_of_a_client() {
    for preset in Preset::ALL {
        let vectors = vector(&format!("lodestar-generated/{preset}.json"));
        for row in vectors["containers"].as_array().unwrap() {
            let json = &row["json"];
            let (ssz, found) = match row["type"].as_str().unwrap() {
                "Attestation" => {
                    let value: Attestation = read(json);
                    assert_eq!(Attestation::from_ssz(&bytes(&row["ssz"]), preset).unwrap(), value);
                    value.check(preset).unwrap();
                    (value.ssz(), value.root(preset))
                }
                "SignedAggregateAndProof" => {
                    let value: Signed<AggregateAndProof> = read(json);
                    (value.ssz(), value.message.root(preset))
                }
                "SyncCommitteeContribution" => {
                    let value: SyncCommitteeContribution = read(json);
                    value.check(preset).unwrap();
                    (value.ssz(), value.root(preset))
                }
                "ContributionAndProof" => {
                    let value: ContributionAndProof = read(json);
                    (value.ssz(), value.root(preset))
                }
                other => panic!("{other}"),
            };
            assert_eq!(ssz, bytes(&row["ssz"]), "{row}");
            assert_eq!(found, root(&row["root"]), "{row}");
        }
    }
}

#[test]
fn bitfields_and_what_is_none() {
    for len in [0usize, 1, 7, 8, 9, 300] {
        let bits: Vec<bool> = (0..len).map(|at| at % 3 == 0).collect();
        let list = BitList::from_bits(&bits);
        assert_eq!((list.len(), list.is_empty(), list.ones()), (len, len == 0, len.div_ceil(3)));
        assert!((0..len + 9).all(|at| list.get(at) == bits.get(at).copied().unwrap_or(false)));
        assert_eq!(BitList::from_ssz(list.as_ssz().to_vec()).unwrap(), list);
        let vector = BitVector::from_bits(&bits);
        assert_eq!((vector.as_ssz().len(), vector.ones()), (len.div_ceil(8).max(1), len.div_ceil(3)));
    }
    assert_eq!(BitList::from_ssz(vec![]), Err(BitsError::NoEnd));
    assert_eq!(BitList::from_ssz(vec![1, 0]), Err(BitsError::NoEnd));
    assert!(BitList::from_ssz(vec![1; 16_385]).is_ok());
    assert_eq!(BitList::from_ssz(vec![1; 16_386]), Err(BitsError::TooLong { found: 16_386, limit: 16_385 }));
    assert!(BitVector::from_ssz(vec![0; 64]).is_ok());
    assert_eq!(BitVector::from_ssz(vec![0; 65]), Err(BitsError::TooLong { found: 65, limit: 64 }));
    for text in ["\"0x\"", "\"0x0\"", "\"07\"", "\"0xzz\"", "7"] {
        assert!(serde_json::from_str::<BitList>(text).is_err(), "{text}");
    }
    let long = format!("\"0x{}\"", "01".repeat(16_386));
    assert!(serde_json::from_str::<BitList>(&long).unwrap_err().to_string().contains("at most 16385 bytes"));
}

/// A bitfield of the other preset is found, whichever way the container came.
#[test]
fn containers_of_another_preset_are_refused() {
    let mainnet = vector("lodestar-generated/mainnet.json");
    let minimal = vector("lodestar-generated/minimal.json");
    let first = |vectors: &Value, name: &str| {
        vectors["containers"].as_array().unwrap().iter().find(|row| row["type"] == name).unwrap().clone()
    };
    for (vectors, other) in [(&mainnet, Preset::Minimal), (&minimal, Preset::Mainnet)] {
        let row = first(vectors, "Attestation");
        let error = Attestation::from_ssz(&bytes(&row["ssz"]), other).unwrap_err().to_string();
        assert!(error.contains(&format!("not valid SSZ of the {other} preset")), "{error}");
        let attestation: Attestation = read(&row["json"]);
        assert!(attestation.check(other).unwrap_err().to_string().starts_with("committee_bits does not have"));
        let contribution: SyncCommitteeContribution = read(&first(vectors, "SyncCommitteeContribution")["json"]);
        assert!(contribution.check(other).unwrap_err().to_string().starts_with("aggregation_bits does not have"));
    }
    let mut long: Attestation = read(&first(&minimal, "Attestation")["json"]);
    long.aggregation_bits = BitList::from_bits(&[true; 8_192]);
    long.check(Preset::Minimal).unwrap();
    long.aggregation_bits = BitList::from_bits(&[true; 8_193]);
    assert!(long.check(Preset::Minimal).unwrap_err().to_string().starts_with("aggregation_bits"));
    long.committee_bits = BitVector::from_bits(&[false, false, false, false, true]);
    assert!(long.check(Preset::Minimal).is_err());

    let ssz = bytes(&first(&minimal, "Attestation")["ssz"]);
    for cut in 0..ssz.len().min(229) {
        assert!(Attestation::from_ssz(&ssz[..cut], Preset::Minimal).is_err(), "{cut}");
    }
}
