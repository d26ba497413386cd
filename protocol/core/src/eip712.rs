//! EIP-712 hashing of exactly three structures, an owner's request for validators, for a reshare of them, and for exits, and
//! the JSON that a wallet needs to show and sign them. Every field of a request is signed; the chain id is in the domain.
//!
//! ```text
//! domain   { name: "Cluster Node", version: "1", chainId }
//! message  DepositDataRequest(address owner,bytes clusterPublicKey,uint32[] operatorIds,
//!          uint32 validatorCount,address withdrawalAddress,uint64 amountGwei,uint256 nonce,uint64 deadline)
//! message  ReshareRequest(.. the same .., bytes32 previousCeremony,uint32[] previousOperatorIds,
//!          bytes32[] previousShareKeys,bytes32 validators)
//! message  ExitRequest(address owner,bytes[] validators,uint256 nonce,uint64 deadline)
//! digest   keccak256(0x19 0x01 || hashStruct(domain) || hashStruct(message))
//! ```

use crate::{committee::OperatorId, encoding::to_hex, exit::ExitRequest, request::Request};
use cluster_crypto::ethereum::{keccak256, Address};
use serde_json::{json, Value};

const DOMAIN_NAME: &str = "Cluster Node";
const DOMAIN_VERSION: &str = "1";
const DOMAIN_TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId)";
const REQUEST_TYPE: &str = "DepositDataRequest(address owner,bytes clusterPublicKey,uint32[] operatorIds,\
uint32 validatorCount,address withdrawalAddress,uint64 amountGwei,uint256 nonce,uint64 deadline)";
const RESHARE_TYPE: &str = "ReshareRequest(address owner,bytes clusterPublicKey,uint32[] operatorIds,\
uint32 validatorCount,address withdrawalAddress,uint64 amountGwei,uint256 nonce,uint64 deadline,\
bytes32 previousCeremony,uint32[] previousOperatorIds,bytes32[] previousShareKeys,bytes32 validators)";
const EXIT_TYPE: &str = "ExitRequest(address owner,bytes[] validators,uint256 nonce,uint64 deadline)";

/// The digest that the owner's wallet signs to ask for validators, or for a reshare of them.
pub fn request_digest(request: &Request) -> [u8; 32] {
    digest(request.chain_id, &hash_request(request))
}

/// The digest that the owner's wallet signs to ask for exits.
pub fn exit_digest(request: &ExitRequest) -> [u8; 32] {
    // An array is the hash of its encoded members, and dynamic bytes are encoded as their hash.
    let validators: Vec<u8> = request.pubkeys.iter().flat_map(|key| keccak256(&key.to_bytes())).collect();
    let message = hash_struct(
        EXIT_TYPE,
        &[address_word(&request.owner), keccak256(&validators), word(request.nonce), word(request.deadline)],
    );
    digest(request.chain_id, &message)
}

/// The argument of `eth_signTypedData_v4` for this request. Integers are decimal strings, because a
/// JSON number above 2^53 does not survive a browser.
pub fn typed_data_json(request: &Request) -> Value {
    let texts = |ids: &[OperatorId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut message = json!({
        "owner": request.owner.to_string(),
        "clusterPublicKey": to_hex(&request.cluster_pubkey.to_bytes()),
        "operatorIds": texts(&request.operator_ids),
        "validatorCount": request.validator_count.to_string(),
        "withdrawalAddress": request.withdrawal_address.to_string(),
        "amountGwei": request.amount_gwei.to_string(),
        "nonce": request.nonce.to_string(),
        "deadline": request.deadline.to_string(),
    });
    let (name, text) = match &request.reshare {
        None => ("DepositDataRequest", REQUEST_TYPE),
        Some(reshare) => {
            let share_keys: Vec<String> = reshare.share_keys.iter().map(|digest| to_hex(&digest.0)).collect();
            message["previousCeremony"] = json!(reshare.previous);
            message["previousOperatorIds"] = json!(texts(&reshare.operator_ids));
            message["previousShareKeys"] = json!(share_keys);
            message["validators"] = json!(reshare.validators);
            ("ReshareRequest", RESHARE_TYPE)
        }
    };
    json!({
        "types": { "EIP712Domain": fields(DOMAIN_TYPE), name: fields(text) },
        "primaryType": name,
        "domain": { "name": DOMAIN_NAME, "version": DOMAIN_VERSION, "chainId": request.chain_id.to_string() },
        "message": message,
    })
}

/// The argument of `eth_signTypedData_v4` for a request for exits.
pub fn exit_typed_data_json(request: &ExitRequest) -> Value {
    let validators: Vec<String> = request.pubkeys.iter().map(ToString::to_string).collect();
    json!({
        "types": {
            "EIP712Domain": fields(DOMAIN_TYPE),
            "ExitRequest": fields(EXIT_TYPE),
        },
        "primaryType": "ExitRequest",
        "domain": { "name": DOMAIN_NAME, "version": DOMAIN_VERSION, "chainId": request.chain_id.to_string() },
        "message": {
            "owner": request.owner.to_string(),
            "validators": validators,
            "nonce": request.nonce.to_string(),
            "deadline": request.deadline.to_string(),
        },
    })
}

fn digest(chain_id: u64, message_hash: &[u8; 32]) -> [u8; 32] {
    let mut message = [0u8; 66];
    message[..2].copy_from_slice(&[0x19, 0x01]);
    message[2..34].copy_from_slice(&domain_separator(chain_id));
    message[34..].copy_from_slice(message_hash);
    keccak256(&message)
}

fn domain_separator(chain_id: u64) -> [u8; 32] {
    hash_struct(DOMAIN_TYPE, &[keccak256(DOMAIN_NAME.as_bytes()), keccak256(DOMAIN_VERSION.as_bytes()), word(chain_id)])
}

fn hash_request(request: &Request) -> [u8; 32] {
    // An array of atomic values is the hash of its words; dynamic bytes are their own hash.
    let hash_ids = |ids: &[OperatorId]| {
        let words: Vec<u8> = ids.iter().flat_map(|id| word(u64::from(id.0))).collect();
        keccak256(&words)
    };
    let mut words = vec![
        address_word(&request.owner),
        keccak256(&request.cluster_pubkey.to_bytes()),
        hash_ids(&request.operator_ids),
        word(u64::from(request.validator_count)),
        address_word(&request.withdrawal_address),
        word(request.amount_gwei),
        word(request.nonce),
        word(request.deadline),
    ];
    let Some(reshare) = &request.reshare else { return hash_struct(REQUEST_TYPE, &words) };
    let share_keys: Vec<u8> = reshare.share_keys.iter().flat_map(|digest| digest.0).collect();
    words.extend([reshare.previous.0, hash_ids(&reshare.operator_ids), keccak256(&share_keys), reshare.validators.0]);
    hash_struct(RESHARE_TYPE, &words)
}

/// `keccak256(typeHash || word || word ...)`.
fn hash_struct(type_text: &str, words: &[[u8; 32]]) -> [u8; 32] {
    let mut encoded = keccak256(type_text.as_bytes()).to_vec();
    encoded.extend(words.iter().flatten());
    keccak256(&encoded)
}

/// An unsigned integer as a big-endian 32-byte word.
fn word(value: u64) -> [u8; 32] {
    let mut word = [0u8; 32];
    word[24..].copy_from_slice(&value.to_be_bytes());
    word
}

fn address_word(address: &Address) -> [u8; 32] {
    let mut word = [0u8; 32];
    word[12..].copy_from_slice(&address.0);
    word
}

/// The member list of a type text, so that text and JSON cannot disagree.
fn fields(type_text: &str) -> Vec<Value> {
    let members = type_text.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let pairs = members.split(',').filter_map(|member| member.split_once(' '));
    pairs.map(|(kind, name)| json!({ "name": name, "type": kind })).collect()
}
