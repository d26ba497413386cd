//! Shapes of types of `cluster-core`, for the description of the API only: core does not know OpenAPI.
//! A test compares the field names with what core really writes.

use serde::Serialize;
use utoipa::ToSchema;

/// An owner's request, unsigned.
#[derive(Serialize, ToSchema)]
pub struct Request {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Address of the wallet that signs.
    pub owner: String,
    /// Key of the gateway: 33 bytes, 0x hex.
    pub cluster_pubkey: String,
    /// The committee: 4, 7, 10 or 13 ids, ascending.
    pub operator_ids: Vec<u32>,
    /// 1 to 1000.
    #[schema(minimum = 1, maximum = 1000)]
    pub validator_count: u32,
    /// Address that withdrawals go to.
    pub withdrawal_address: String,
    /// 32000000000.
    pub amount_gwei: u64,
    /// Used once per owner.
    pub nonce: u64,
    /// Unix seconds.
    pub deadline: u64,
    /// The validators to take over from an earlier ceremony, for a reshare of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reshare: Option<Reshare>,
}

/// What a reshare takes over.
#[derive(Serialize, ToSchema)]
pub struct Reshare {
    /// The ceremony whose shares are dealt again: 32 bytes, 0x hex.
    pub previous: String,
    /// Its committee, ascending.
    pub operator_ids: Vec<u32>,
    /// For each of these operators the digest of the public keys of its shares: 32 bytes, 0x hex.
    pub share_keys: Vec<String>,
    /// Digest of the validator keys: 32 bytes, 0x hex.
    pub validators: String,
}

/// A request with the owner's EIP-712 signature.
#[derive(Serialize, ToSchema)]
pub struct SignedRequest {
    /// What is signed.
    pub request: Request,
    /// 65 bytes, 0x hex.
    pub signature: String,
}

/// One entry of the launchpad's `deposit_data-*.json`; hex without 0x.
#[derive(Serialize, ToSchema)]
pub struct DepositData {
    /// 48 bytes.
    pub pubkey: String,
    /// 32 bytes.
    pub withdrawal_credentials: String,
    /// Gwei.
    pub amount: u64,
    /// 96 bytes.
    pub signature: String,
    /// 32 bytes.
    pub deposit_message_root: String,
    /// 32 bytes.
    pub deposit_data_root: String,
    /// 4 bytes.
    pub fork_version: String,
    /// `mainnet` or `hoodi`.
    pub network_name: String,
    /// Version of the file layout.
    pub deposit_cli_version: String,
}

/// What a ceremony produced, and the operators' signatures on it.
#[derive(Serialize, ToSchema)]
pub struct Certificate {
    /// 1.
    pub version: u32,
    /// 0x hex.
    pub ceremony_id: String,
    /// What the operators signed.
    pub transcript: Transcript,
    /// At least t of n, ascending by operator id.
    pub attestations: Vec<Attestation>,
}

/// The result of a ceremony, equal for every honest operator.
#[derive(Serialize, ToSchema)]
pub struct Transcript {
    /// The owner's request.
    pub request: SignedRequest,
    /// The committee, ascending.
    pub committee: Vec<Member>,
    /// Dealers whose dealings count.
    pub qualified: Vec<Dealer>,
    /// The validators.
    pub validators: Vec<ValidatorRecord>,
}

/// An operator of a committee.
#[derive(Serialize, ToSchema)]
pub struct Member {
    /// Id in the registry.
    pub operator_id: u32,
    /// 33 bytes, 0x hex.
    pub public_key: String,
}

/// A qualified dealer.
#[derive(Serialize, ToSchema)]
pub struct Dealer {
    /// Id in the registry.
    pub operator_id: u32,
    /// 32 bytes, 0x hex.
    pub dealing_digest: String,
}

/// One validator of a certificate.
#[derive(Serialize, ToSchema)]
pub struct ValidatorRecord {
    /// 48 bytes, 0x hex.
    pub pubkey: String,
    /// 48 bytes each, 0x hex, in committee order.
    pub share_pubkeys: Vec<String>,
    /// 96 bytes, 0x hex.
    pub deposit_signature: String,
    /// 32 bytes, 0x hex.
    pub deposit_data_root: String,
}

/// One operator's signed receipt.
#[derive(Serialize, ToSchema)]
pub struct Attestation {
    /// Id in the registry.
    pub operator_id: u32,
    /// 93 bytes each, 0x hex, in the order of the validators.
    pub envelopes: Vec<String>,
    /// 64 bytes, 0x hex.
    pub signature: String,
}
