//! Duties: what a committee does for its validators in every slot.
//!
//! | file | what it is for |
//! | --- | --- |
//! | [`clock`] | the time that everything here reads, and sleeps by |
//! | [`mesh`] | messages to other operators: queues, repetition, expiry |
//! | [`votes`] | what an operator has voted, kept so that it never votes differently after a restart |
//! | [`hub`] | runs consensus instances and exchanges of partial signatures |

pub mod clock;
pub mod hub;
pub mod mesh;
pub mod votes;
