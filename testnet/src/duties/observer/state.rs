//! Participation of validators, cut out of a beacon state.
//!
//! A state is megabytes of lists that nobody here looks at: only their offsets are read. Source: `BeaconState` of the Electra and
//! Fulu specifications, which begin alike.

use cluster_core::beacon::Preset;

/// Bytes of a `Validator`.
const VALIDATOR: usize = 48 + 32 + 8 + 1 + 4 * 8;
/// Offsets in it of `activation_epoch` and `exit_epoch`.
const ACTIVATION: usize = 48 + 32 + 8 + 1 + 8;
const EXIT: usize = ACTIVATION + 8;

/// What of a state is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateView {
    /// Slot of the state.
    pub slot: u64,
    /// Flags of the previous epoch, by validator: bit 0 source, bit 1 target, bit 2 head.
    pub previous_participation: Vec<u8>,
    /// First epoch with duties and first epoch without, by validator.
    pub active: Vec<(u64, u64)>,
}

/// The lengths of a state's fixed vectors, as (`SLOTS_PER_HISTORICAL_ROOT`, `EPOCHS_PER_HISTORICAL_VECTOR`,
/// `EPOCHS_PER_SLASHINGS_VECTOR`).
const fn vectors(preset: Preset) -> (usize, usize, usize) {
    match preset {
        Preset::Mainnet => (8_192, 65_536, 8_192),
        Preset::Minimal => (64, 64, 64),
    }
}

impl StateView {
    /// Reads a state of Electra or Fulu.
    pub fn from_ssz(bytes: &[u8], preset: Preset) -> Result<Self, &'static str> {
        let (slots, epochs, slashings) = vectors(preset);
        let slot_at = 8 + 32;
        let after_header = slot_at + 8 + 16 + 112;
        // Two vectors of roots, the offset of the historical roots, eth1_data, the offset of its votes, a counter.
        let validators_at = after_header + 2 * 32 * slots + 4 + 72 + 4 + 8;
        let balances_at = validators_at + 4;
        let previous_at = balances_at + 4 + 32 * epochs + 8 * slashings;
        let current_at = previous_at + 4;
        let validators = section(bytes, validators_at, balances_at)?;
        let previous = section(bytes, previous_at, current_at)?;
        if validators.len() % VALIDATOR != 0 || validators.len() / VALIDATOR != previous.len() {
            return Err("the state's lists do not fit together; is it of another fork or preset?");
        }
        let epochs = validators.chunks_exact(VALIDATOR).map(|validator| {
            let (activation, exit) = (number(validator, ACTIVATION), number(validator, EXIT));
            activation.zip(exit).ok_or("a validator of the state is cut short")
        });
        Ok(Self {
            slot: number(bytes, slot_at).ok_or("the state is cut short")?,
            previous_participation: previous.to_vec(),
            active: epochs.collect::<Result<_, _>>()?,
        })
    }

    /// The flags of every validator that was to attest in `epoch`, with its index.
    pub fn expected(&self, epoch: u64) -> impl Iterator<Item = (u64, u8)> + '_ {
        let all = self.active.iter().zip(&self.previous_participation).zip(0..);
        let active = all.filter(move |(((from, to), _), _)| *from <= epoch && epoch < *to);
        active.map(|((_, flags), index)| (index, *flags))
    }
}

/// The bytes between two offsets that are found at the given places.
fn section(bytes: &[u8], from_at: usize, to_at: usize) -> Result<&[u8], &'static str> {
    let offset = |at: usize| {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let range = offset(from_at).zip(offset(to_at)).ok_or("the state is cut short")?;
    bytes.get(range.0..range.1).ok_or("the state's offsets are out of order")
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
