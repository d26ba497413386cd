//! The gates through which node operators come to Lido's module, and the list of a gate that not everybody passes.

use std::fmt;

use alloy_primitives::{keccak256, Address as SolAddress, B256, U256};
use alloy_sol_types::SolValue;
use cluster_crypto::ethereum::{Address, WalletKey};

use super::{setTreeParamsCall, Chain, EvmError};

/// Others on a list beside the one who needs it: proofs have more than one step.
const OTHERS: u8 = 6;
/// Where the list could be looked up.
const LIST: &str = "testnet";

/// A gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// For everybody.
    #[default]
    Permissionless,
    /// For identified community stakers: with a proof that one is on the list.
    Ics,
    /// For identified clusters of distributed validators: the same with another list.
    Idvtc,
}

/// What bonds are paid in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bond {
    /// Ether.
    #[default]
    Eth,
    /// stETH that Accounting may take.
    Steth,
    /// wstETH that Accounting may take.
    Wsteth,
}

impl fmt::Display for Gate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Permissionless => "permissionless",
            Self::Ics => "ics",
            Self::Idvtc => "idvtc",
        })
    }
}

impl fmt::Display for Bond {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Eth => "eth",
            Self::Steth => "steth",
            Self::Wsteth => "wsteth",
        })
    }
}

impl Chain {
    /// Puts a wallet, among others, on the list of a vetted gate; the proof that it is there.
    pub(super) async fn put_on_list(&self, gate: Address, wallet: &WalletKey) -> Result<Vec<B256>, EvmError> {
        let others = (0..OTHERS).map(|at| Address([0xd0 + at; 20]));
        let members: Vec<Address> = others.chain([wallet.address()]).collect();
        let (root, proof) = prove(&members, wallet.address());
        let call = setTreeParamsCall { treeRoot: root, treeCid: LIST.to_owned() };
        self.rpc.send(self.admin(), gate, &call, U256::ZERO).await?;
        Ok(proof)
    }
}

/// Root of the tree over a list, and the proof for one of its members.
///
/// Leaves are hashed twice, as the gate does it, and are in the order of their hashes; two siblings are hashed in the order of
/// their values, and one without a sibling moves up.
fn prove(members: &[Address], member: Address) -> (B256, Vec<B256>) {
    let leaf = |address: &Address| keccak256(keccak256(SolAddress::from(address.0).abi_encode()));
    let mut level: Vec<B256> = members.iter().map(leaf).collect();
    level.sort();
    level.dedup();
    let (mut own, mut proof) = (leaf(&member), Vec::new());
    while level.len() > 1 {
        let mut above = Vec::new();
        for pair in level.chunks(2) {
            let parent = match pair {
                [one, other] => keccak256([one.min(other).0, one.max(other).0].concat()),
                [alone] => *alone,
                _ => continue,
            };
            if let ([one, other], true) = (pair, pair.contains(&own)) {
                proof.push(if *one == own { *other } else { *one });
            }
            if pair.contains(&own) {
                own = parent;
            }
            above.push(parent);
        }
        level = above;
    }
    (own, proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_a_proof_for_the_same_root() {
        for count in 1..=9u8 {
            let members: Vec<Address> = (0..count).map(|at| Address([at + 1; 20])).collect();
            let (root, _) = prove(&members, Address([1; 20]));
            for member in &members {
                let (same, proof) = prove(&members, *member);
                let mut node = keccak256(keccak256(SolAddress::from(member.0).abi_encode()));
                for other in proof {
                    node = keccak256([node.min(other).0, node.max(other).0].concat());
                }
                assert_eq!((node, same), (root, root), "{count} members, {member}");
            }
        }
    }
}
