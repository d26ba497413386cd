//! Which forks the chain of a run has.

use cluster_core::beacon::Epoch;

/// Which fork the chain has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkPlan {
    /// Electra all the time.
    Electra,
    /// Fulu from genesis on.
    Fulu,
    /// Electra, and Fulu from epoch 2 on.
    Transition,
}

impl ForkPlan {
    /// The name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Electra => "electra",
            Self::Fulu => "fulu",
            Self::Transition => "transition",
        }
    }

    /// First epoch of Fulu.
    #[must_use]
    pub const fn fulu_epoch(self) -> Option<Epoch> {
        match self {
            Self::Electra => None,
            Self::Fulu => Some(Epoch(0)),
            Self::Transition => Some(Epoch(2)),
        }
    }
}

impl std::str::FromStr for ForkPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Electra, Self::Fulu, Self::Transition];
        let found = all.into_iter().find(|plan| plan.name() == text);
        found.ok_or_else(|| format!("`{text}` is not one of electra, fulu and transition"))
    }
}
