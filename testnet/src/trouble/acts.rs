//! What the owner does, by transactions: one kind for each kind of event.

use std::fmt;
use std::sync::Arc;

use cluster_core::ceremony::CeremonyId;
use cluster_core::chain::{Facts, PubkeyBytes, ValidatorFact};
use cluster_core::encoding::to_hex;
use cluster_crypto::ethereum::Address;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use super::{CeremonyFigures, TroubleError, BLOCKS};
use crate::evm::{Chain, Receipt, Registration, Requested};
use crate::world::{Wanted, World};

/// Blocks that a top-up pays for, at most.
const TOP_UP_BLOCKS: u32 = 10_000;

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A request for validators.
    Request,
    /// A validator is given to its committee.
    Registration,
    /// A subscription is paid for longer.
    TopUp,
    /// Where fees go.
    FeeRecipient,
    /// A validator is taken away from its committee.
    Removal,
    /// An order to exit.
    Exit,
}

/// What the branch that wins has in the place of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing.
    Without,
    /// The same transaction in another block.
    Same,
    /// Another event of this kind.
    Other,
}

impl Kind {
    /// All of them, in an order in which each finds what it is about.
    pub const ALL: [Self; 6] =
        [Self::Request, Self::Registration, Self::TopUp, Self::FeeRecipient, Self::Removal, Self::Exit];
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Without, Self::Same, Self::Other];
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Request => "a request",
            Self::Registration => "a registration",
            Self::TopUp => "a top-up",
            Self::FeeRecipient => "a fee recipient",
            Self::Removal => "a removal",
            Self::Exit => "an order to exit",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Without => "nothing comes in its place",
            Self::Same => "it comes back in another block",
            Self::Other => "another one comes in its place",
        })
    }
}

/// The owner's acts so far.
pub(super) struct Acts {
    chain: Arc<Chain>,
    dice: ChaCha20Rng,
    /// Validators that can be registered.
    pub(super) pool: Vec<Registration>,
    /// Of every request, on whatever branch.
    pub(super) ceremonies: Vec<CeremonyFigures>,
    newest: Option<CeremonyId>,
}

impl Acts {
    pub(super) fn new(chain: Arc<Chain>, seed: u64) -> Self {
        let dice = ChaCha20Rng::seed_from_u64(seed ^ 0x6163_7473);
        Self { chain, dice, pool: Vec::new(), ceremonies: Vec::new(), newest: None }
    }

    /// A request that no other equals. Withdrawals do not go to Lido's vault: fees then go where the owner says.
    pub(super) fn wanted(&mut self, world: &World, validators: u32) -> Wanted {
        Wanted { operators: world.ids(), validators, withdrawal_address: self.address() }
    }

    /// Remembers a request; the same one again changes nothing.
    pub(super) fn note(&mut self, asked: &Requested) {
        let ceremony_id = asked.request.ceremony_id();
        self.newest = Some(ceremony_id);
        let figures =
            CeremonyFigures { ceremony_id: ceremony_id.to_string(), on_chain: false, begun_by: 0, most_often: 0 };
        if self.ceremonies.iter().all(|known| known.ceremony_id != figures.ceremony_id) {
            self.ceremonies.push(figures);
        }
    }

    /// The last request.
    pub(super) fn newest(&self) -> Option<CeremonyId> {
        self.newest
    }

    /// Does it by a transaction, with what is possible at the head. Draws anew each time, so that two acts of a kind differ.
    pub(super) async fn act(&mut self, kind: Kind, world: &World) -> Result<Receipt, TroubleError> {
        let (chain, wallet) = (Arc::clone(&self.chain), &world.owner);
        let ledger = chain.read(chain.head().await?).await?;
        let facts = ledger.facts();
        Ok(match kind {
            Kind::Request => {
                let wanted = self.wanted(world, 1);
                let asked = chain.request(world, &wanted).await?;
                self.note(&asked);
                asked.receipt
            }
            Kind::Registration => {
                let unknown = |one: &&Registration| facts.validator(&one.pubkey).is_none();
                let free: Vec<Registration> = self.pool.iter().filter(unknown).cloned().collect();
                let one = self.draw(&free).ok_or(TroubleError::NoValidator("registered"))?;
                let done = chain.register(wallet, std::slice::from_ref(one), BLOCKS).await?;
                done.into_iter().next().map(|one| one.receipt).ok_or(TroubleError::NoValidator("registered"))?
            }
            Kind::TopUp => {
                let (pubkey, fact) = self.registered(facts, "topped up")?;
                let blocks = 1 + u64::from(self.dice.next_u32() % TOP_UP_BLOCKS);
                chain.top_up(wallet, &pubkey, fact.operator_ids.len(), blocks).await?
            }
            Kind::FeeRecipient => {
                let recipient = self.address();
                chain.set_fee_recipient(wallet, recipient).await?
            }
            Kind::Removal => {
                let (pubkey, _) = self.registered(facts, "removed")?;
                chain.remove(wallet, &pubkey).await?
            }
            Kind::Exit => {
                let (pubkey, _) = self.registered(facts, "ordered to exit")?;
                chain.exit(world, &[pubkey], 0).await?.receipt
            }
        })
    }

    fn registered(&mut self, facts: &Facts, what: &'static str) -> Result<(PubkeyBytes, ValidatorFact), TroubleError> {
        let ordered = |pubkey: &PubkeyBytes| facts.exits().any(|(_, exit)| exit.pubkeys.contains(pubkey));
        let fits = |(pubkey, fact): &(&PubkeyBytes, &ValidatorFact)| fact.is_registered() && !ordered(pubkey);
        let some: Vec<(PubkeyBytes, ValidatorFact)> =
            facts.validators().filter(fits).map(|(pubkey, fact)| (*pubkey, fact.clone())).collect();
        self.draw(&some).cloned().ok_or(TroubleError::NoValidator(what))
    }

    fn draw<'a, T>(&mut self, some: &'a [T]) -> Option<&'a T> {
        some.get(usize::try_from(self.dice.next_u32()).unwrap_or(0) % some.len().max(1))
    }

    fn address(&mut self) -> Address {
        let mut address = Address([0; 20]);
        self.dice.fill_bytes(&mut address.0);
        address
    }

    /// The pool's keys in hex, for the service.
    pub(super) fn pubkeys(&self) -> impl Iterator<Item = (PubkeyBytes, String)> + '_ {
        self.pool.iter().map(|one| (one.pubkey, to_hex(&one.pubkey.0)))
    }
}
