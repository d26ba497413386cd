//! What is read of Lido's Community Staking Module: functions and events of version 3, and those of version 2 that have
//! other names. Names and types are the contracts' own (lidofinance/community-staking-module, `src/interfaces`).
#![allow(missing_docs, clippy::too_many_arguments)]

use alloy_sol_types::sol;

sol! {
    /// Packed the same way in versions 2 and 3; a longer answer of a later version is read as far as it is known.
    struct NodeOperator {
        uint32 totalAddedKeys;
        uint32 totalWithdrawnKeys;
        uint32 totalDepositedKeys;
        uint32 totalVettedKeys;
        uint32 stuckValidatorsCount;
        uint32 depositableValidatorsCount;
        uint32 targetLimit;
        uint8 targetLimitMode;
        uint32 totalExitedKeys;
        uint32 enqueuedCount;
        address managerAddress;
        address proposedManagerAddress;
        address rewardAddress;
        address proposedRewardAddress;
        bool extendedManagerPermissions;
        bool usedPriorityQueue;
    }

    struct MarkedUint248 {
        uint248 value;
        bool isValue;
    }

    /// Version 3 fills the second field alone.
    struct ExitPenaltyInfo {
        MarkedUint248 delayFee;
        MarkedUint248 strikesPenalty;
        MarkedUint248 withdrawalRequestFee;
    }

    interface Module {
        event NodeOperatorAdded(uint256 indexed nodeOperatorId, address indexed managerAddress, address indexed rewardAddress, bool extendedManagerPermissions);
        event NodeOperatorManagerAddressChanged(uint256 indexed nodeOperatorId, address indexed oldAddress, address indexed newAddress);
        event NodeOperatorRewardAddressChanged(uint256 indexed nodeOperatorId, address indexed oldAddress, address indexed newAddress);
        event SigningKeyAdded(uint256 indexed nodeOperatorId, bytes pubkey);
        event SigningKeyRemoved(uint256 indexed nodeOperatorId, bytes pubkey);
        event ValidatorWithdrawn(uint256 indexed nodeOperatorId, uint256 keyIndex, uint256 exitBalance, uint256 slashingPenalty, bytes pubkey);
        event WithdrawalSubmitted(uint256 indexed nodeOperatorId, uint256 keyIndex, uint256 amount, bytes pubkey);
        event ValidatorSlashingReported(uint256 indexed nodeOperatorId, uint256 keyIndex, bytes pubkey);
        event GeneralDelayedPenaltyReported(uint256 indexed nodeOperatorId, bytes32 indexed penaltyType, uint256 amount, uint256 additionalFine, string details);
        event GeneralDelayedPenaltyCancelled(uint256 indexed nodeOperatorId, uint256 amount);
        event GeneralDelayedPenaltyCompensated(uint256 indexed nodeOperatorId, uint256 amount);
        event GeneralDelayedPenaltySettled(uint256 indexed nodeOperatorId, uint256 amount);
        event ELRewardsStealingPenaltyReported(uint256 indexed nodeOperatorId, bytes32 proposedBlockHash, uint256 stolenAmount);
        event ELRewardsStealingPenaltyCancelled(uint256 indexed nodeOperatorId, uint256 amount);
        event ELRewardsStealingPenaltyCompensated(uint256 indexed nodeOperatorId, uint256 amount);
        event ELRewardsStealingPenaltySettled(uint256 indexed nodeOperatorId);

        function getNodeOperatorsCount() external view returns (uint256);
        function getNodeOperator(uint256 nodeOperatorId) external view returns (NodeOperator memory);
        function getSigningKeys(uint256 nodeOperatorId, uint256 startIndex, uint256 keysCount) external view returns (bytes memory);
        function isValidatorWithdrawn(uint256 nodeOperatorId, uint256 keyIndex) external view returns (bool);
        function depositQueuePointers(uint256 queuePriority) external view returns (uint128 head, uint128 tail);
        function depositQueueItem(uint256 queuePriority, uint128 index) external view returns (uint256);
    }

    interface Accounting {
        function getBondSummary(uint256 nodeOperatorId) external view returns (uint256 current, uint256 required);
        function getLockedBond(uint256 nodeOperatorId) external view returns (uint256);
        function getActualLockedBond(uint256 nodeOperatorId) external view returns (uint256);
        function getUnbondedKeysCount(uint256 nodeOperatorId) external view returns (uint256);
        function getBondCurveId(uint256 nodeOperatorId) external view returns (uint256);
        function getBondAmountByKeysCount(uint256 keysCount, uint256 curveId) external view returns (uint256);
        function getBondAmountByKeysCountWstETH(uint256 keysCount, uint256 curveId) external view returns (uint256);
        function getRequiredBondForNextKeys(uint256 nodeOperatorId, uint256 additionalKeys) external view returns (uint256);
        function getRequiredBondForNextKeysWstETH(uint256 nodeOperatorId, uint256 additionalKeys) external view returns (uint256);
    }

    interface ExitPenalties {
        event StrikesPenaltyProcessed(uint256 indexed nodeOperatorId, bytes pubkey, uint256 strikesPenalty);
        event ValidatorExitDelayProcessed(uint256 indexed nodeOperatorId, bytes pubkey, uint256 delayFee);
        event TriggeredExitFeeRecorded(uint256 indexed nodeOperatorId, uint256 indexed exitType, bytes pubkey, uint256 withdrawalRequestPaidFee, uint256 withdrawalRequestRecordedFee);

        function getExitPenaltyInfo(uint256 nodeOperatorId, bytes calldata publicKey) external view returns (ExitPenaltyInfo memory);
    }

    /// Version 2 has fewer fields in one event.
    interface ExitPenaltiesV2 {
        event TriggeredExitFeeRecorded(uint256 indexed nodeOperatorId, uint256 indexed exitType, bytes pubkey, uint256 withdrawalRequestFee);
    }

    /// A gate whose node operators have a bond curve of their own.
    interface Gate {
        function curveId() external view returns (uint256);
    }

    /// Lido's ValidatorsExitBusOracle.
    interface ExitBus {
        event ValidatorExitRequest(uint256 indexed stakingModuleId, uint256 indexed nodeOperatorId, uint256 indexed validatorIndex, bytes validatorPubkey, uint256 timestamp);
    }

    /// Ethereum's deposit contract.
    interface DepositContract {
        event DepositEvent(bytes pubkey, bytes withdrawal_credentials, bytes amount, bytes signature, bytes index);
    }
}
