//! Skeleton.

pub mod network;
