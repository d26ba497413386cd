// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

/// The event that existing indexers know a set-up contract by. OpenZeppelin 5 emits `Initialized(uint64)`, another topic; both are emitted.
interface IInitialized {
    /// @param version Number of the initialisation: 1.
    event Initialized(uint8 version);
}
