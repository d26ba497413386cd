// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {IRoles} from "./IRoles.sol";

/// Who is an operator, which validators exist, and which committee performs for each.
///
/// A cluster is an owner together with a committee (4, 7, 10 or 13 operators, ids ascending). Validators of one owner and one committee are in
/// one cluster. Keys: 33 bytes compressed secp256k1 for operators, 48 bytes compressed BLS12-381 G1 for validators and shares.
///
/// Codes of reverts (`Error(string)`), beside those of `IRoles`:
/// - `A0` the owner already has 10 operators
/// - `A1` the owner of the operator has validators
/// - `A2` the public key is or was another operator's
/// - `B0` the operator is not active
/// - `B1` the caller does not own the operator
/// - `B2` the operator still has validators
/// - `C1` the owner has no active operator
/// - `D1` a validator's public key is not 48 bytes
/// - `D2` shares: not one of 48 bytes (public) and one of 93 bytes (encrypted) for every operator
/// - `E1` the validator is registered
/// - `E2` the owner is an operator
/// - `E3` ids of operators are not strictly ascending: one is there twice, or they are out of order
/// - `E4` an operator is not active
/// - `E5` an operator would have more than 2,000 validators
/// - `F1` to be disabled: the owner is disabled
/// - `G1` to be enabled: the owner is not disabled
/// - `G2` to be disabled or enabled: the owner is zero
interface ISafeStakeRegistry is IRoles {
    /// An operator left. Its id and key are never used again.
    event OperatorRemoval(uint32 operatorId, address indexed ownerAddress);

    /// The flags of all active operators of an owner were set.
    event OperatorVerified(address owner, bool fromDao, bool verified);

    /// The fee for operators that register validators from now on pay. Beside the listed events.
    /// @param oldFee Before, in smallest units of the fee token, per block and operator.
    /// @param newFee From now on.
    event OperatorFeeUpdate(uint256 oldFee, uint256 newFee);

    /// Whether an owner may register, top up and replace. Beside the listed events.
    event OwnerValidatorsDisabled(address indexed owner, bool disabled);

    /// An operator's public key is not a compressed secp256k1 key: 33 bytes that start with 2 or 3.
    error InvalidOperatorPublicKey(bytes publicKey);
    /// A name has 1 to 100 bytes.
    error InvalidOperatorName(uint256 length);
    /// A committee has 4, 7, 10 or 13 operators.
    error InvalidCommitteeSize(uint256 size);
    /// An owner's validators would be with more than 50 different operators.
    error TooManyOperatorsInUse(address owner, uint256 limit);
    /// The validator is not registered.
    error UnknownValidator(bytes publicKey);
    /// A fee per block is at least 1 and at most 10^18.
    error InvalidFee(uint256 fee);
    /// Nothing to register: the list is empty.
    error EmptyList();
    /// An address that must not be zero is zero.
    error ZeroAddress();

    /// Sets up the contract behind its proxy. The caller, the Network contract, gets NODE.
    /// @param operatorFee Smallest units of the fee token, per block and operator.
    /// @param owner Gets ADMIN.
    function initialize(uint256 operatorFee, address owner) external;

    /// Registers an operator. NODE only; the Network contract checks who asks.
    /// @param name Of 1 to 100 bytes.
    /// @param ownerAddress Whose operator it is.
    /// @param publicKey 33 bytes.
    /// @return operatorId Ids are given in ascending order, each once.
    function registerOperator(string calldata name, address ownerAddress, bytes calldata publicKey) external returns (uint32 operatorId);

    /// Takes an operator without validators out. Only its owner. Earnings can still be claimed.
    function removeOperator(uint32 operatorId) external;

    /// Sets the flags of all active operators of `owner`. ADMIN only.
    function verifyOperator(address owner, bool fromDao, bool verified) external;

    /// Fee per block and operator, for what is paid from now on. ADMIN only.
    function updateOperatorFee(uint64 fee) external;

    /// Registers one validator. NODE only. Shares are checked and not stored.
    function registerValidator(
        address ownerAddress,
        bytes calldata publicKey,
        uint32[] calldata operatorIds,
        bytes[] calldata sharesPublicKeys,
        bytes[] calldata sharesEncrypted
    ) external;

    /// Registers validators of one committee, whose shares the caller has checked. NODE only.
    function registerValidators(address ownerAddress, bytes[] calldata publicKeys, uint32[] calldata operatorIds) external;

    /// Moves a validator to another committee. NODE only.
    /// @return ownerAddress Of the validator.
    /// @return oldOperatorIds The committee that it had.
    function replaceCommittee(bytes calldata publicKey, uint32[] calldata operatorIds)
        external
        returns (address ownerAddress, uint32[] memory oldOperatorIds);

    /// Takes a validator out. NODE only.
    function removeValidator(bytes calldata publicKey) external;

    /// Stops `ownerAddress` from registering, topping up and replacing; removal with refund stays possible. ADMIN only.
    function disableOwnerValidators(address ownerAddress) external;

    /// Undoes `disableOwnerValidators`. ADMIN only.
    function enableOwnerValidators(address ownerAddress) external;

    /// @return Operators that one owner can have: 10.
    function REGISTERED_OPERATORS_PER_ACCOUNT_LIMIT() external view returns (uint32);

    /// @return Validators that one operator can have: 2,000.
    function VALIDATORS_PER_OPERATOR_LIMIT() external view returns (uint32);

    /// @return Registered validators.
    function _activeValidatorCount() external view returns (uint32);

    /// @return _value Always 0: initiators were part of an earlier generation of the system.
    function _lastInitiatorId() external view returns (uint256 _value);

    /// @return _value The highest id of an operator, 0 as long as there is none.
    function _lastOperatorId() external view returns (uint256 _value);

    /// @return Operators that were ever registered.
    function operatorCount() external view returns (uint32);

    /// @return Smallest units of the fee token, per block and operator.
    function _operatorFee() external view returns (uint256);

    /// An operator, all zero and empty for an unknown id.
    function _operators(uint32 operatorId)
        external
        view
        returns (
            string memory name,
            bytes memory publicKey,
            address ownerAddress,
            uint32 indexInOwner,
            uint32 validatorCount,
            bool active,
            bool fromParaStateDao,
            bool verified
        );

    /// @return The id of the `index`-th active operator of `owner`; reverts past the end.
    function _operatorsByOwnerAddress(address owner, uint256 index) external view returns (uint32);

    /// @return How many active operators an owner has.
    function activeOperatorsOf(address owner) external view returns (uint256);

    /// @return The id of the operator with this key, also of a removed one; 0 for unknown keys (where 0 is an id, compare `_operators(0)`).
    function _operatorsByPublicKeys(bytes calldata publicKey) external view returns (uint32);

    /// How many validators an owner has, and whether it is disabled.
    function _owners(address owner) external view returns (uint32 activeValidatorCount, bool validatorsDisabled);

    /// A validator, all zero and empty for an unknown key. `indexInOwner` is its place in the list of `ownerOf`.
    function _validators(bytes calldata pubkey) external view returns (address ownerAddress, uint32 indexInOwner, bytes memory publicKey);

    /// @return Whether `len` is the size of a committee: 4, 7, 10 or 13.
    function checkOperatorsLength(uint256 len) external pure returns (bool);

    /// @return Whether the account owns an active operator.
    function isAccountRegisteredOperator(address ownerAddress) external view returns (bool);

    /// @return Whether the account owns a validator.
    function isAccountRegisteredValidator(address ownerAddress) external view returns (bool);

    /// @return Whether the validator is registered and `owner` is its owner.
    function isValidatorOwner(address owner, bytes calldata publicKey) external view returns (bool);

    /// Owner and state of an operator; zero and false for an unknown id.
    function operator_detail(uint32 operatorId) external view returns (address owner, bool active);

    /// An owner with all its validators. For reading off chain: the list can be long.
    function ownerOf(address ownerAddress)
        external
        view
        returns (uint32 activeValidatorCount, bool validatorsDisabled, bytes[] memory validators);

    /// A validator with its committee, all zero and empty for an unknown key.
    function validatorOf(bytes calldata pubkey)
        external
        view
        returns (address ownerAddress, uint32[] memory operatorsIds, uint32 indexInOwner, bytes memory publicKey);

    /// Owner and committee of a validator, cheaper than `validatorOf`; reverts with `UnknownValidator`.
    function committeeOf(bytes calldata publicKey) external view returns (address ownerAddress, uint32[] memory operatorIds);

    /// @return The `index`-th different operator that performs for validators of `owner`; reverts past the end.
    function operatorInUse(address owner, uint256 index) external view returns (uint32);

    /// @return publicKey The `index`-th validator of an operator; reverts past the end. For reading off chain.
    function validatorOfOperator(uint32 operatorId, uint256 index) external view returns (bytes memory publicKey);

    /// @return Number of the release.
    function version() external pure returns (uint32);
}
