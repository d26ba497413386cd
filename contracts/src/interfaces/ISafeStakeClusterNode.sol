// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {IRoles} from "./IRoles.sol";

/// Requests of owners to operators: make validator keys and deposit data, sign exits. Operators act on the events.
///
/// Fees are paid exactly: in wei with the call where `_token()` is zero, otherwise in smallest units of that ERC-20 token by allowance.
interface ISafeStakeClusterNode is IRoles {
    /// What fees are for.
    enum Action {
        GENERATE_KEYS,
        GENERATE_DEPOSIT_DATA,
        GENERATE_EXIT_DATA
    }

    /// A request for validators; fields as in `ValidatorDepositDataGeneration`.
    struct Request {
        bytes clusterNodePublicKey;
        address owner;
        bytes ownerPubkey;
        uint256 validatorCount;
        uint32[] operatorIds;
        uint256 depositAmount;
        address withdrawAddress;
    }

    /// A cluster node service belongs to `owner` from now on.
    event ClusterNodeRegistration(address indexed owner, bytes clusterNodePublicKey);

    /// An owner wants validators.
    /// @param clusterNodePublicKey Of the service that is to publish the result, 33 bytes.
    /// @param owner Who wants them: the sender, or who signed.
    /// @param ownerPubkey Of `owner`, 65 bytes uncompressed secp256k1.
    /// @param validatorCount 1 to 1,000.
    /// @param operatorIds The committee, ascending.
    /// @param depositAmount Wei per validator: 32 ether.
    /// @param withdrawAddress What the withdrawal credentials (0x01) point to.
    event ValidatorDepositDataGeneration(
        bytes clusterNodePublicKey,
        address owner,
        bytes ownerPubkey,
        uint256 validatorCount,
        uint32[] operatorIds,
        uint256 depositAmount,
        address withdrawAddress
    );

    /// The owner of validators wants them to exit.
    /// @param owner Sender and owner of all of them.
    /// @param activeEpoch From which epoch on the exits are valid.
    event ValidatorExitDataGeneration(bytes clusterNodePublicKey, address owner, bytes[] validatorPubKeys, uint256 activeEpoch);

    /// Beside the listed events.
    event ClusterNodeActivity(bytes clusterNodePublicKey, bool active);
    event ActionFeeUpdate(uint8 indexed action, uint256 oldFee, uint256 newFee);
    event FeeTokenUpdate(address indexed oldToken, address indexed newToken);
    event FeesWithdrawal(address indexed token, address indexed recipient, uint256 value);

    /// A cluster node's key is not a compressed secp256k1 key: 33 bytes that start with 2 or 3.
    error InvalidClusterNodePublicKey(bytes publicKey);
    error ClusterNodeExists(bytes publicKey);
    error ClusterNodeNotActive(bytes publicKey);
    error NotClusterNodeOwner(address caller);
    /// The owner is neither the caller nor who signed.
    error NotOwner(address owner, address caller);
    /// The key is not 65 bytes of an uncompressed secp256k1 key, or its address is not the owner.
    error OwnerPublicKeyMismatch(address owner);
    error OwnerDisabled(address owner);
    /// 1 to 1,000 validators in one request.
    error InvalidValidatorCount(uint256 count);
    /// Exactly 32 ether.
    error InvalidDepositAmount(uint256 amount);
    error ZeroWithdrawAddress();
    /// Committee of wrong size, not strictly ascending, or with an operator that is not active.
    error InvalidCommittee();
    error OperatorNotActive(uint32 operatorId);
    /// A validator's public key is not 48 bytes.
    error InvalidValidatorPublicKey(bytes publicKey);
    error NotValidatorOwner(bytes publicKey);
    /// The value sent is not the fee.
    error WrongFee(uint256 expected, uint256 sent);
    /// The token arrived in part.
    error FeeNotReceived(uint256 expected, uint256 received);
    error InvalidAction(uint256 action);
    error LengthMismatch(uint256 expected, uint256 actual);
    error SignatureExpired(uint256 deadline);
    error InvalidToken(address token);
    error ZeroAddress();

    /// Sets up the contract behind its proxy. The caller gets ADMIN, NODE and SIGNER.
    /// @param token Currency of fees, zero for the native one.
    /// @param registryAddress Where operators and validators are.
    function initialize(address token, address registryAddress) external;

    /// Makes the caller the owner of a cluster node service.
    /// @param clusterNodePublicKey Key of the service, 33 bytes compressed secp256k1.
    function registerClusterNode(bytes calldata clusterNodePublicKey) external;

    /// Takes a cluster node out of use or back. Its owner or an ADMIN.
    function setClusterNodeActive(bytes calldata clusterNodePublicKey, bool active) external;

    /// Asks a committee for validators of the caller. Parameters: see `ValidatorDepositDataGeneration`; `owner` is the caller.
    function generateDepositData(
        bytes calldata clusterNodePublicKey,
        address owner,
        bytes calldata ownerPubkey,
        uint256 validatorCount,
        uint32[] calldata operatorIds,
        uint256 depositAmount,
        address withdrawAddress
    ) external payable;

    /// The same for an owner who signed and lets somebody else send and pay. EIP-712:
    /// `GenerateDepositData(bytes clusterNodePublicKey,address owner,uint256 validatorCount,uint32[] operatorIds,uint256 depositAmount,address withdrawAddress,uint256 nonce,uint256 deadline)`
    /// with the owner's present `nonces`.
    /// @param deadline Last second (unix time) in which the signature counts.
    /// @param signature 65 bytes.
    function generateDepositDataFor(Request calldata request, uint256 deadline, bytes calldata signature) external payable;

    /// Asks the committees of the caller's validators to sign exits. The fee counts per validator.
    /// @param validatorPubKeys 1 to 1,000, all registered and the caller's.
    function generateExitData(bytes calldata clusterNodePublicKey, bytes[] calldata validatorPubKeys, uint256 activeEpoch) external payable;

    /// Fees per validator, in the currency. ADMIN only.
    function setActionFees(uint8[] calldata action, uint256[] calldata fee) external;

    /// Changes the currency of fees. ADMIN only.
    function modifyFeeToken(address token) external;

    /// Pays fees out. ADMIN only.
    /// @param token Zero for the native currency.
    function withdrawFees(address token, address recipient, uint256 amount) external;

    function _actionFees(uint8 action) external view returns (uint256);

    /// A cluster node, all zero and empty if unknown.
    function _clusterNodes(bytes calldata publicKey) external view returns (address owner, bytes memory clusterNodePublicKey, bool active);

    /// @return Currency of fees, zero for the native one.
    function _token() external view returns (address);

    /// @return Where operators and validators are.
    function registry() external view returns (address);

    /// @return addr Address of an uncompressed secp256k1 key of 65 bytes; zero for anything else.
    function bytesToAddress(bytes memory _b) external pure returns (address addr);

    /// @return Whether these can be a committee: 4, 7, 10 or 13 ids, strictly ascending.
    function checkSecurityLevel(uint32[] calldata operatorIds) external pure returns (bool);

    /// @return Fee per validator of an action (0, 1 or 2).
    function getActionFee(uint256 action) external view returns (uint256);

    /// Owner and state of a cluster node; zero and false if unknown.
    function getClusterNode(bytes calldata clusterNodePublicKey) external view returns (address owner, bool active);

    /// @return Number of the release.
    function version() external pure returns (uint32);

    /// Native currency that arrives by itself is treated as a fee.
    receive() external payable;
}
