//! How much each protocol moves.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes and messages of one protocol since the start, frames with their prefix.
#[derive(Debug, Default)]
pub struct Traffic {
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    messages_sent: AtomicU64,
    messages_received: AtomicU64,
    newest_sent: AtomicU64,
    refused: AtomicU64,
}

/// A reading of [`Traffic`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TrafficCount {
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Requests and responses written.
    pub messages_sent: u64,
    /// Requests and responses read.
    pub messages_received: u64,
    /// Requests and responses written in the newest version that this release speaks.
    pub newest_sent: u64,
    /// Frames that were refused.
    pub refused: u64,
}

impl Traffic {
    /// The counts of now.
    pub fn read(&self) -> TrafficCount {
        TrafficCount {
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
            messages_sent: self.messages_sent.load(Ordering::Relaxed),
            messages_received: self.messages_received.load(Ordering::Relaxed),
            newest_sent: self.newest_sent.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Counts a message of `bytes` payload bytes that was sent by other means, such as gossip.
    pub fn sent(&self, bytes: usize) {
        self.messages_sent.fetch_add(1, Ordering::Relaxed);
        self.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a message of `bytes` payload bytes that was received by other means.
    pub fn received(&self, bytes: usize) {
        self.messages_received.fetch_add(1, Ordering::Relaxed);
        self.bytes_received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a message that was written in the newest version.
    pub(crate) fn sent_newest(&self) {
        self.newest_sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a frame that was refused.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}
