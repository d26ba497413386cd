// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

/// What callers of Lido's Community Staking Module (CSM) meet at the module: operators, keys and queues. Amounts in wei.
///
/// The double of this folder is written from public documentation of CSM's interface. It has the checks, events and errors that clients depend on, and
/// nothing of what protects other people's money: it is for tests and demonstrations, and the deployment script refuses to put it on mainnet.
interface ICSModule {
    /// @param managerAddress Manages keys; the caller of the gate if zero.
    /// @param rewardAddress Gets rewards; the caller of the gate if zero.
    /// @param extendedManagerPermissions Whether the manager is the owner, otherwise the reward address is. Only at creation.
    struct NodeOperatorManagementProperties {
        address managerAddress;
        address rewardAddress;
        bool extendedManagerPermissions;
    }

    /// EIP-2612 permission for Accounting; all zero: the allowance that is there.
    struct PermitInput {
        uint256 value;
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// An operator, in the order in which the contracts return it.
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
        bool usePriorityQueue;
    }

    event NodeOperatorAdded(
        uint256 indexed nodeOperatorId, address indexed managerAddress, address indexed rewardAddress, bool extendedManagerPermissions
    );
    event ReferrerSet(uint256 indexed nodeOperatorId, address indexed referrer);
    event SigningKeyAdded(uint256 indexed nodeOperatorId, bytes pubkey);
    event SigningKeyRemoved(uint256 indexed nodeOperatorId, bytes pubkey);
    event TotalSigningKeysCountChanged(uint256 indexed nodeOperatorId, uint256 totalKeysCount);
    event VettedSigningKeysCountChanged(uint256 indexed nodeOperatorId, uint256 vettedKeysCount);
    event VettedSigningKeysCountDecreased(uint256 indexed nodeOperatorId);
    event DepositedSigningKeysCountChanged(uint256 indexed nodeOperatorId, uint256 depositedKeysCount);
    event DepositableSigningKeysCountChanged(uint256 indexed nodeOperatorId, uint256 depositableKeysCount);
    event ExitedSigningKeysCountChanged(uint256 indexed nodeOperatorId, uint256 exitedKeysCount);
    event TargetValidatorsCountChanged(uint256 indexed nodeOperatorId, uint256 targetLimitMode, uint256 targetValidatorsCount);
    event KeyRemovalChargeApplied(uint256 indexed nodeOperatorId);
    event BatchEnqueued(uint256 indexed queuePriority, uint256 indexed nodeOperatorId, uint256 count);
    event NonceChanged(uint256 nonce);
    event NodeOperatorManagerAddressChangeProposed(
        uint256 indexed nodeOperatorId, address indexed oldProposedAddress, address indexed newProposedAddress
    );
    event NodeOperatorManagerAddressChanged(uint256 indexed nodeOperatorId, address indexed oldAddress, address indexed newAddress);
    event NodeOperatorRewardAddressChangeProposed(
        uint256 indexed nodeOperatorId, address indexed oldProposedAddress, address indexed newProposedAddress
    );
    event NodeOperatorRewardAddressChanged(uint256 indexed nodeOperatorId, address indexed oldAddress, address indexed newAddress);
    /// Release 3.
    event ValidatorWithdrawn(uint256 indexed nodeOperatorId, uint256 keyIndex, uint256 exitBalance, uint256 slashingPenalty, bytes pubkey);
    event GeneralDelayedPenaltyReported(
        uint256 indexed nodeOperatorId, bytes32 indexed penaltyType, uint256 amount, uint256 additionalFine, string details
    );
    event GeneralDelayedPenaltySettled(uint256 indexed nodeOperatorId, uint256 amount);
    event GeneralDelayedPenaltyCancelled(uint256 indexed nodeOperatorId, uint256 amount);
    /// Release 2.
    event WithdrawalSubmitted(uint256 indexed nodeOperatorId, uint256 keyIndex, uint256 amount, bytes pubkey);
    event ELRewardsStealingPenaltyReported(uint256 indexed nodeOperatorId, bytes32 proposedBlockHash, uint256 stolenAmount);
    event ELRewardsStealingPenaltySettled(uint256 indexed nodeOperatorId);
    event ELRewardsStealingPenaltyCancelled(uint256 indexed nodeOperatorId, uint256 amount);

    error InvalidAmount();
    error InvalidLength();
    error InvalidKeysCount();
    error EmptyKey();
    error KeysLimitExceeded();
    error CannotAddKeys();
    error SenderIsNotManagerAddress();
    error SenderIsNotRewardAddress();
    error SenderIsNotProposedAddress();
    error SenderIsNotEligible();
    error NodeOperatorDoesNotExist();
    error SigningKeysInvalidOffset();
    error PausedExpected();
    error ResumedExpected();
    error AccessDenied();

    function createNodeOperator(address from, NodeOperatorManagementProperties calldata properties, address referrer)
        external
        returns (uint256 nodeOperatorId);

    function addValidatorKeysETH(
        address from,
        uint256 nodeOperatorId,
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures
    ) external payable;

    function addValidatorKeysStETH(
        address from,
        uint256 nodeOperatorId,
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures,
        PermitInput calldata permit
    ) external;

    function addValidatorKeysWstETH(
        address from,
        uint256 nodeOperatorId,
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures,
        PermitInput calldata permit
    ) external;

    function removeKeys(uint256 nodeOperatorId, uint256 startIndex, uint256 keysCount) external;

    function updateDepositableValidatorsCount(uint256 nodeOperatorId) external;

    function getNodeOperator(uint256 nodeOperatorId) external view returns (NodeOperator memory);

    /// @return The manager if it has extended permissions, the reward address otherwise.
    function getNodeOperatorOwner(uint256 nodeOperatorId) external view returns (address);

    function getNodeOperatorNonWithdrawnKeys(uint256 nodeOperatorId) external view returns (uint256);

    function getNodeOperatorManagementProperties(uint256 nodeOperatorId) external view returns (NodeOperatorManagementProperties memory);
}
