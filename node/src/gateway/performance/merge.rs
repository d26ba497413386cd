//! One figure out of what several operators claim.
//!
//! A committee has n = 3f+1 operators, of which up to f may lie. With claims of t = 2f+1 of them, at least f of the claims
//! below and f above the median are not all lies, so the median of every figure lies between the figures of two honest
//! operators: where these agree, no liar changes it. Figures are merged one by one; a validator or kind that a claim does
//! not name counts as zero there. Where honest operators differ, because one of them was cut off for a while, the upper
//! median is taken for what was done, since what one operator has submitted is submitted, and the lower one for reasons.

use std::collections::{BTreeMap, BTreeSet};

use cluster_core::committee::OperatorId;
use cluster_core::duty::SigningKind;
use cluster_crypto::Threshold;
use cluster_net::performance::{KindReport, Reason, Report, KINDS};

/// Why a claim is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The list of operators is no committee.
    #[error("the operators that it names are no committee of registered operators, ascending")]
    NoCommittee,
    /// The sender is not in the committee.
    #[error("the sender is not in the committee that it speaks of")]
    Stranger,
    /// Figures contradict each other.
    #[error("its figures contradict each other")]
    Contradiction,
}

/// Figures of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Duties that the validator had.
    pub expected: u32,
    /// Duties that were submitted.
    pub submitted: u32,
    /// Why the others were missed, as far as most operators agree.
    pub misses: BTreeMap<Reason, u32>,
}

/// Figures of one validator by kind.
pub type Kinds = BTreeMap<SigningKind, Figures>;

/// What a committee says about an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// When the epoch began, in unix milliseconds.
    pub start_ms: u64,
    /// Operators whose claims were merged.
    pub claims: usize,
    /// Exchanges of partial signatures.
    pub exchanges: u32,
    /// In how many of them each operator was seen, ascending by operator.
    pub seen: Vec<(OperatorId, u32)>,
    /// By public key.
    pub validators: BTreeMap<[u8; 48], Kinds>,
}

/// Looks whether a claim of `from` makes sense by itself. `is_operator` knows the registry.
///
/// # Errors
/// What is wrong.
pub fn check(
    from: OperatorId,
    report: &Report,
    is_operator: impl Fn(OperatorId) -> bool,
) -> Result<Threshold, ClaimError> {
    let committee = &report.committee;
    let threshold = Threshold::for_operators(committee.len()).map_err(|_| ClaimError::NoCommittee)?;
    if committee.windows(2).any(|pair| pair[0] >= pair[1]) || !committee.iter().all(|id| is_operator(*id)) {
        return Err(ClaimError::NoCommittee);
    }
    if !committee.contains(&from) {
        return Err(ClaimError::Stranger);
    }
    let is_ordered = report.validators.windows(2).all(|pair| pair[0].pubkey < pair[1].pubkey);
    let is_seen = report.seen.len() == committee.len() && report.seen.iter().all(|seen| *seen <= report.exchanges);
    let fits = report.validators.iter().all(|validator| {
        let kinds: BTreeSet<SigningKind> = validator.duties.iter().map(|duty| duty.kind).collect();
        kinds.len() == validator.duties.len() && validator.duties.iter().all(is_consistent)
    });
    if is_ordered && is_seen && fits {
        Ok(threshold)
    } else {
        Err(ClaimError::Contradiction)
    }
}

fn is_consistent(duty: &KindReport) -> bool {
    let missed: u64 = duty.misses.iter().map(|(_, count)| u64::from(*count)).sum();
    let reasons: BTreeSet<Reason> = duty.misses.iter().map(|(reason, _)| *reason).collect();
    KINDS.contains(&duty.kind)
        && reasons.len() == duty.misses.len()
        && u64::from(duty.submitted) + missed <= u64::from(duty.expected)
}

/// Merges claims of one committee about one epoch, each of another operator and checked. `None` without claims.
#[must_use]
pub fn merge(claims: &[&Report]) -> Option<Merged> {
    let committee = &claims.first()?.committee;
    let exchanges = upper(claims.iter().map(|claim| claim.exchanges));
    let seen = committee.iter().enumerate().map(|(at, id)| {
        let counts = claims.iter().map(|claim| claim.seen.get(at).copied().unwrap_or(0));
        (*id, upper(counts).min(exchanges))
    });
    // What each claim says of a validator, in the order of the claims.
    let mut said: BTreeMap<[u8; 48], Vec<&[KindReport]>> = BTreeMap::new();
    for claim in claims {
        for validator in &claim.validators {
            said.entry(validator.pubkey).or_default().push(&validator.duties);
        }
    }
    let validators = said.into_iter().map(|(pubkey, said)| (pubkey, kinds(&said, claims.len())));
    Some(Merged {
        start_ms: upper(claims.iter().map(|claim| claim.start_ms)),
        claims: claims.len(),
        exchanges,
        seen: seen.collect(),
        validators: validators.filter(|(_, kinds)| !kinds.is_empty()).collect(),
    })
}

fn kinds(said: &[&[KindReport]], claims: usize) -> Kinds {
    let of_kind = |kind| -> Vec<&KindReport> {
        said.iter().flat_map(|duties| duties.iter()).filter(|duty| duty.kind == kind).collect()
    };
    let merged = KINDS.into_iter().map(|kind| (kind, figures(&of_kind(kind), claims)));
    merged.filter(|(_, figures)| figures.expected > 0).collect()
}

fn figures(said: &[&KindReport], claims: usize) -> Figures {
    // Silence is zero.
    let silent = claims.saturating_sub(said.len());
    let padded = |values: Vec<u32>| values.into_iter().chain(std::iter::repeat_n(0, silent));
    let expected = upper(padded(said.iter().map(|duty| duty.expected).collect()));
    let submitted = upper(padded(said.iter().map(|duty| duty.submitted).collect())).min(expected);
    let mut unexplained = expected - submitted;
    let mut misses = BTreeMap::new();
    for reason in Reason::ALL {
        let count =
            |duty: &&KindReport| duty.misses.iter().find(|(other, _)| *other == reason).map_or(0, |(_, count)| *count);
        let agreed = lower(padded(said.iter().map(count).collect())).min(unexplained);
        if agreed > 0 {
            unexplained -= agreed;
            misses.insert(reason, agreed);
        }
    }
    Figures { expected, submitted, misses }
}

/// The median; of an even number of values the upper one in the middle.
fn upper<T: Ord + Copy + Default>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The median; of an even number of values the lower one in the middle.
fn lower<T: Ord + Copy + Default>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use cluster_net::performance::ValidatorReport;

    fn claim(n: u32, exchanges: u32, validators: &[(u8, u32, u32)]) -> Report {
        let validator = |(key, expected, submitted): &(u8, u32, u32)| ValidatorReport {
            pubkey: [*key; 48],
            duties: vec![KindReport {
                kind: SigningKind::Attestation,
                expected: *expected,
                submitted: *submitted,
                misses: (expected > submitted)
                    .then_some((Reason::NoQuorum, expected - submitted))
                    .into_iter()
                    .collect(),
            }],
        };
        Report {
            epoch: 3,
            start_ms: 1_000,
            committee: (1..=n).map(OperatorId).collect(),
            exchanges,
            seen: vec![exchanges; n as usize],
            validators: validators.iter().map(validator).collect(),
        }
    }

    /// Every way in which f operators of each size of committee can lie together changes nothing, with every number of
    /// honest claims from t - f on.
    #[test]
    fn liars_change_no_figure_on_which_the_honest_agree() {
        let honest = |n| claim(n, 9, &[(1, 8, 6), (2, 1, 1)]);
        let lies = |n: u32| {
            let blame = {
                let mut report = honest(n);
                report.seen = (1..=n).map(|id| if id == 2 { 0 } else { 9 }).collect();
                report
            };
            let other_reason = {
                let mut report = honest(n);
                report.validators[0].duties[0].misses = vec![(Reason::Slashable, 2)];
                report.start_ms = u64::MAX;
                report
            };
            [
                blame,
                other_reason,
                claim(n, 0, &[]),
                claim(n, u32::MAX, &[(1, u32::MAX, u32::MAX), (2, u32::MAX, 0), (3, 7, 7)]),
                claim(n, 9, &[(0, 1, 0), (1, 8, 0), (2, 0, 0)]),
                claim(n, 9, &[(1, 8, 8), (2, 1, 0)]),
            ]
        };
        for n in [4u32, 7, 10, 13] {
            let size = Threshold::for_operators(n as usize).unwrap();
            let honest = honest(n);
            let expected = merge(&vec![&honest; n as usize]).unwrap();
            assert_eq!(expected.validators[&[1; 48]][&SigningKind::Attestation].misses[&Reason::NoQuorum], 2);
            for lie in lies(n) {
                assert!(check(OperatorId(1), &lie, |_| true).is_ok(), "lies are well formed");
                for count in size.t()..=n as usize {
                    for liars in 0..=size.f() {
                        let mut claims = vec![&honest; count - liars];
                        claims.extend(vec![&lie; liars]);
                        let merged = merge(&claims).unwrap();
                        assert_eq!(merged, Merged { claims: count, ..expected.clone() }, "{liars} of {n}: {lie:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_one_honest_operator_missed_is_not_missed() {
        let (well, cut_off) = (claim(4, 8, &[(1, 8, 8)]), claim(4, 8, &[(1, 8, 3)]));
        let merged = merge(&[&well, &cut_off, &cut_off, &well]).unwrap();
        let figures = &merged.validators[&[1; 48]][&SigningKind::Attestation];
        assert_eq!(*figures, Figures { expected: 8, submitted: 8, misses: BTreeMap::new() });
        assert_eq!(merge(&[]), None);
    }

    #[test]
    fn claims_that_make_no_sense_are_refused() {
        let good = claim(4, 9, &[(1, 8, 6), (2, 1, 1)]);
        assert!(check(OperatorId(4), &good, |_| true).is_ok());
        assert_eq!(check(OperatorId(5), &good, |_| true), Err(ClaimError::Stranger));
        assert_eq!(check(OperatorId(1), &good, |id| id.0 < 4), Err(ClaimError::NoCommittee));
        assert_eq!(check(OperatorId(1), &claim(5, 9, &[]), |_| true), Err(ClaimError::NoCommittee));
        let changes: [fn(&mut Report); 8] = [
            |report| report.seen[0] = 10,
            |report| report.seen.truncate(3),
            |report| report.validators.swap(0, 1),
            |report| report.validators[1].pubkey = [1; 48],
            |report| report.validators[0].duties[0].submitted = 7,
            |report| report.validators[0].duties[0].kind = SigningKind::Randao,
            |report| report.validators[0].duties[0].misses = vec![(Reason::Signer, 1); 2],
            |report| {
                let duty = report.validators[0].duties[0].clone();
                report.validators[0].duties.push(duty);
            },
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let mut report = good.clone();
            change(&mut report);
            assert_eq!(check(OperatorId(1), &report, |_| true), Err(ClaimError::Contradiction), "{at}");
        }
    }
}
