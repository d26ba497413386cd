//! Partial signatures of a committee for many validators at once, and the signatures that they make.
//!
//! The protocol is `docs/spec/signing.md`; the code names its numbered steps. [`Machine`] is the whole of it without any
//! IO. What it holds is bounded by its own items times the size of the committee, whatever peers send.

mod attempt;
mod items;
mod machine;
mod message;

use std::sync::Arc;

use cluster_crypto::{bls, threshold::Partial};

use crate::{committee::OperatorId, machine::Recipient};

pub use machine::Machine;
pub use message::{Group, Message, Names, Partials, MAX_ITEMS, MAX_MESSAGE_BYTES};

/// One signature to be made.
#[derive(Clone, Debug)]
pub struct Item {
    /// The validator that signs.
    pub validator: bls::PublicKey,
    /// What it signs: the signing root, object root and domain hashed together.
    pub root: [u8; 32],
    /// The public keys of its n shares, in the order of share indices.
    pub share_keys: Arc<[bls::PublicKey]>,
}

/// What the machine wants done, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send the message. It may be lost: the receiver asks again.
    Send {
        /// To whom.
        to: Recipient,
        /// What.
        message: Arc<Message>,
    },
    /// The signature of an item, verified under the validator's key.
    Signed {
        /// Position of the item, as given at the start.
        item: usize,
        /// The signature.
        signature: bls::Signature,
    },
    /// A partial signature of this operator, which may be this one, was wrong. Once for each operator.
    Bad {
        /// The signer.
        operator: OperatorId,
    },
    /// All partial signatures of an item are right and their combination is not: the share keys given for it do not
    /// belong to its validator. It will not be signed.
    Inconsistent {
        /// Position of the item, as given at the start.
        item: usize,
    },
    /// Every item is signed, or inconsistent. Nothing follows but answers to peers.
    Done,
}

/// Why an exchange cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// This operator is not in the committee.
    #[error("operator {me} is not a member of the committee that is to sign")]
    NotInCommittee {
        /// This operator.
        me: OperatorId,
    },
    /// More items than a message may hold.
    #[error("{items} signatures were asked for at once; at most {MAX_ITEMS} can be")]
    TooMany {
        /// Items given.
        items: usize,
    },
    /// The list of own partials does not go with the items.
    #[error("there are {own} own partial signatures for {items} items")]
    OwnLength {
        /// Items given.
        items: usize,
        /// Own partials given, present or not.
        own: usize,
    },
    /// An item does not have one share key for each operator.
    #[error("item {item} has {keys} share keys for a committee of {operators}")]
    ShareKeys {
        /// Position of the item.
        item: usize,
        /// Keys given.
        keys: usize,
        /// Size of the committee.
        operators: usize,
    },
    /// The same validator is to sign the same root twice.
    #[error("items {first} and {second} ask for the same signature")]
    Duplicate {
        /// Position of the first.
        first: usize,
        /// Position of the second.
        second: usize,
    },
}

/// An item that is not signed yet, and the operators whose partial signature is not there or was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Position of the item, as given at the start.
    pub item: usize,
    /// The operators, in ascending order.
    pub without: Vec<OperatorId>,
}

/// One operator's partial signature of one item.
#[derive(Clone, Copy, Debug, Default)]
enum Slot {
    /// Not there yet.
    #[default]
    Absent,
    /// On the curve, and nothing more is known.
    Unchecked(Partial),
    /// Right under the operator's share key.
    Right(Partial),
    /// Wrong under the operator's share key.
    Wrong,
}
