// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {Roles} from "./base/Roles.sol";
import {ISafeStakeRegistry} from "./interfaces/ISafeStakeRegistry.sol";
import {Committee} from "./libraries/Committee.sol";

/// See `ISafeStakeRegistry`. State is laid out for cheap registration: a validator takes three slots, everything about its committee is in its cluster.
contract SafeStakeRegistry is Roles, ISafeStakeRegistry {
    uint32 public constant REGISTERED_OPERATORS_PER_ACCOUNT_LIMIT = 10;
    uint32 public constant VALIDATORS_PER_OPERATOR_LIMIT = 2000;
    /// Different operators that one owner's validators can be with.
    uint256 public constant OPERATORS_IN_USE_PER_ACCOUNT_LIMIT = 50;
    /// Bytes of an operator's name.
    uint256 public constant OPERATOR_NAME_LIMIT = 100;
    /// Units per block.
    uint256 public constant FEE_LIMIT = 1e18;

    /// @param clusters Of this operator, every one that ever was.
    struct Operator {
        string name;
        bytes publicKey;
        address ownerAddress;
        uint32 indexInOwner;
        uint32 validatorCount;
        bool active;
        bool fromParaStateDao;
        bool verified;
        uint32[] clusters;
    }

    /// @param clusters Every one that this owner ever had.
    /// @param operatorsInUse Different operators of the clusters that have validators.
    struct Owner {
        uint32 activeValidatorCount;
        bool validatorsDisabled;
        uint32[] operators;
        uint32[] clusters;
        uint32[] operatorsInUse;
    }

    /// An owner's use of one operator.
    /// @param clusters With validators.
    /// @param index In `Owner.operatorsInUse`.
    struct Use {
        uint32 clusters;
        uint32 index;
    }

    /// An owner with a committee.
    /// @param validators keccak256 of their public keys.
    struct Cluster {
        address owner;
        uint32[] operatorIds;
        bytes32[] validators;
    }

    /// A validator: its 48-byte key, and where it is.
    /// @param cluster Id of its cluster, from 1; 0 for no validator.
    struct Validator {
        bytes32 keyHead;
        bytes16 keyTail;
        uint32 cluster;
        uint32 indexInCluster;
    }

    /// Id that the first operator of a fresh registry gets. Only `initialize` reads it, so that an upgrade cannot change it.
    /// @custom:oz-upgrades-unsafe-allow state-variable-immutable
    uint32 private immutable FIRST_OPERATOR_ID;

    uint256 public _operatorFee;
    uint32 public _activeValidatorCount;
    uint32 public operatorCount;
    uint32 private _firstOperatorId;
    uint32 private _clusterCount;
    mapping(uint32 id => Operator) private _operator;
    /// Id + 1, so that id 0 is told from none.
    mapping(bytes32 keyHash => uint256) private _operatorByKey;
    mapping(address owner => Owner) private _owner;
    mapping(address owner => mapping(uint32 operatorId => Use)) private _uses;
    mapping(uint32 id => Cluster) private _clusters;
    mapping(bytes32 ownerAndCommittee => uint32) private _clusterIds;
    mapping(bytes32 keyHash => Validator) private _validator;
    uint256[40] private __gap;

    /// @param firstOperatorId Existing deployments count from 1; 0 is as good.
    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor(uint32 firstOperatorId) {
        FIRST_OPERATOR_ID = firstOperatorId;
        _disableInitializers();
    }

    /// @inheritdoc ISafeStakeRegistry
    function initialize(uint256 operatorFee, address owner) external initializer {
        __Roles_init(owner);
        _grantRole(NODE_ROLE, msg.sender);
        _firstOperatorId = FIRST_OPERATOR_ID;
        _setOperatorFee(operatorFee);
    }

    // Operators

    /// @inheritdoc ISafeStakeRegistry
    function registerOperator(string calldata name, address ownerAddress, bytes calldata publicKey)
        external
        onlyRole(NODE_ROLE)
        returns (uint32 operatorId)
    {
        if (ownerAddress == address(0)) revert ZeroAddress();
        uint256 length = bytes(name).length;
        if (length == 0 || length > OPERATOR_NAME_LIMIT) revert InvalidOperatorName(length);
        if (!Committee.isCompressedKey(publicKey)) revert InvalidOperatorPublicKey(publicKey);
        Owner storage owner = _owner[ownerAddress];
        require(owner.operators.length < REGISTERED_OPERATORS_PER_ACCOUNT_LIMIT, "A0");
        require(owner.activeValidatorCount == 0, "A1");
        require(_operatorByKey[keccak256(publicKey)] == 0, "A2");

        operatorId = _firstOperatorId + operatorCount;
        ++operatorCount;
        _operatorByKey[keccak256(publicKey)] = uint256(operatorId) + 1;
        Operator storage operator = _operator[operatorId];
        operator.name = name;
        operator.publicKey = publicKey;
        operator.ownerAddress = ownerAddress;
        operator.indexInOwner = uint32(owner.operators.length);
        operator.active = true;
        owner.operators.push(operatorId);
    }

    /// @inheritdoc ISafeStakeRegistry
    function removeOperator(uint32 operatorId) external {
        Operator storage operator = _operator[operatorId];
        require(operator.active, "B0");
        require(operator.ownerAddress == msg.sender, "B1");
        require(operator.validatorCount == 0, "B2");
        operator.active = false;
        uint32[] storage operators = _owner[msg.sender].operators;
        uint32 last = operators[operators.length - 1];
        operators[operator.indexInOwner] = last;
        _operator[last].indexInOwner = operator.indexInOwner;
        operators.pop();
        emit OperatorRemoval(operatorId, msg.sender);
    }

    /// @inheritdoc ISafeStakeRegistry
    function verifyOperator(address owner, bool fromDao, bool verified) external onlyRole(ADMIN_ROLE) {
        uint32[] storage operators = _owner[owner].operators;
        require(operators.length > 0, "C1");
        for (uint256 i = 0; i < operators.length; ++i) {
            Operator storage operator = _operator[operators[i]];
            operator.fromParaStateDao = fromDao;
            operator.verified = verified;
        }
        emit OperatorVerified(owner, fromDao, verified);
    }

    /// @inheritdoc ISafeStakeRegistry
    function updateOperatorFee(uint64 fee) external onlyRole(ADMIN_ROLE) {
        _setOperatorFee(fee);
    }

    // Validators

    /// @inheritdoc ISafeStakeRegistry
    function registerValidator(
        address ownerAddress,
        bytes calldata publicKey,
        uint32[] calldata operatorIds,
        bytes[] calldata sharesPublicKeys,
        bytes[] calldata sharesEncrypted
    ) external onlyRole(NODE_ROLE) {
        require(Committee.areShares(operatorIds.length, sharesPublicKeys, sharesEncrypted), "D2");
        uint32 clusterId = _join(ownerAddress, operatorIds, 1);
        _add(clusterId, publicKey);
    }

    /// @inheritdoc ISafeStakeRegistry
    function registerValidators(address ownerAddress, bytes[] calldata publicKeys, uint32[] calldata operatorIds)
        external
        onlyRole(NODE_ROLE)
    {
        uint32 clusterId = _join(ownerAddress, operatorIds, uint32(publicKeys.length));
        for (uint256 i = 0; i < publicKeys.length; ++i) {
            _add(clusterId, publicKeys[i]);
        }
    }

    /// @inheritdoc ISafeStakeRegistry
    function replaceCommittee(bytes calldata publicKey, uint32[] calldata operatorIds)
        external
        onlyRole(NODE_ROLE)
        returns (address ownerAddress, uint32[] memory oldOperatorIds)
    {
        (ownerAddress, oldOperatorIds) = _remove(publicKey);
        _add(_join(ownerAddress, operatorIds, 1), publicKey);
    }

    /// @inheritdoc ISafeStakeRegistry
    function removeValidator(bytes calldata publicKey) external onlyRole(NODE_ROLE) {
        _remove(publicKey);
    }

    // Owners

    /// @inheritdoc ISafeStakeRegistry
    function disableOwnerValidators(address ownerAddress) external onlyRole(ADMIN_ROLE) {
        require(ownerAddress != address(0), "G2");
        require(!_owner[ownerAddress].validatorsDisabled, "F1");
        _owner[ownerAddress].validatorsDisabled = true;
        emit OwnerValidatorsDisabled(ownerAddress, true);
    }

    /// @inheritdoc ISafeStakeRegistry
    function enableOwnerValidators(address ownerAddress) external onlyRole(ADMIN_ROLE) {
        require(ownerAddress != address(0), "G2");
        require(_owner[ownerAddress].validatorsDisabled, "G1");
        _owner[ownerAddress].validatorsDisabled = false;
        emit OwnerValidatorsDisabled(ownerAddress, false);
    }

    // Reading

    /// @inheritdoc ISafeStakeRegistry
    function _lastInitiatorId() external pure returns (uint256 _value) {
        return 0;
    }

    /// @inheritdoc ISafeStakeRegistry
    function _lastOperatorId() external view returns (uint256 _value) {
        return operatorCount == 0 ? 0 : uint256(_firstOperatorId) + operatorCount - 1;
    }

    /// @inheritdoc ISafeStakeRegistry
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
        )
    {
        Operator storage operator = _operator[operatorId];
        name = operator.name;
        publicKey = operator.publicKey;
        ownerAddress = operator.ownerAddress;
        indexInOwner = operator.indexInOwner;
        validatorCount = operator.validatorCount;
        active = operator.active;
        fromParaStateDao = operator.fromParaStateDao;
        verified = operator.verified;
    }

    /// @inheritdoc ISafeStakeRegistry
    function _operatorsByOwnerAddress(address owner, uint256 index) external view returns (uint32) {
        return _owner[owner].operators[index];
    }

    /// @inheritdoc ISafeStakeRegistry
    function activeOperatorsOf(address owner) external view returns (uint256) {
        return _owner[owner].operators.length;
    }

    /// @inheritdoc ISafeStakeRegistry
    function _operatorsByPublicKeys(bytes calldata publicKey) external view returns (uint32) {
        uint256 idPlusOne = _operatorByKey[keccak256(publicKey)];
        return idPlusOne == 0 ? 0 : uint32(idPlusOne - 1);
    }

    /// @inheritdoc ISafeStakeRegistry
    function _owners(address owner) external view returns (uint32 activeValidatorCount, bool validatorsDisabled) {
        return (_owner[owner].activeValidatorCount, _owner[owner].validatorsDisabled);
    }

    /// @inheritdoc ISafeStakeRegistry
    function _validators(bytes calldata pubkey) external view returns (address ownerAddress, uint32 indexInOwner, bytes memory publicKey) {
        Validator storage validator = _validator[keccak256(pubkey)];
        if (validator.cluster == 0) return (address(0), 0, "");
        return (_clusters[validator.cluster].owner, _indexInOwner(validator), pubkey);
    }

    /// @inheritdoc ISafeStakeRegistry
    function checkOperatorsLength(uint256 len) external pure returns (bool) {
        return Committee.isSize(len);
    }

    /// @inheritdoc ISafeStakeRegistry
    function isAccountRegisteredOperator(address ownerAddress) external view returns (bool) {
        return _owner[ownerAddress].operators.length > 0;
    }

    /// @inheritdoc ISafeStakeRegistry
    function isAccountRegisteredValidator(address ownerAddress) external view returns (bool) {
        return _owner[ownerAddress].activeValidatorCount > 0;
    }

    /// @inheritdoc ISafeStakeRegistry
    function isValidatorOwner(address owner, bytes calldata publicKey) external view returns (bool) {
        uint32 cluster = _validator[keccak256(publicKey)].cluster;
        return cluster != 0 && _clusters[cluster].owner == owner;
    }

    /// @inheritdoc ISafeStakeRegistry
    function operator_detail(uint32 operatorId) external view returns (address owner, bool active) {
        return (_operator[operatorId].ownerAddress, _operator[operatorId].active);
    }

    /// @inheritdoc ISafeStakeRegistry
    function ownerOf(address ownerAddress)
        external
        view
        returns (uint32 activeValidatorCount, bool validatorsDisabled, bytes[] memory validators)
    {
        Owner storage owner = _owner[ownerAddress];
        activeValidatorCount = owner.activeValidatorCount;
        validatorsDisabled = owner.validatorsDisabled;
        validators = new bytes[](activeValidatorCount);
        uint256 next;
        for (uint256 i = 0; i < owner.clusters.length; ++i) {
            bytes32[] storage members = _clusters[owner.clusters[i]].validators;
            for (uint256 j = 0; j < members.length; ++j) {
                validators[next++] = _key(_validator[members[j]]);
            }
        }
    }

    /// @inheritdoc ISafeStakeRegistry
    function validatorOf(bytes calldata pubkey)
        external
        view
        returns (address ownerAddress, uint32[] memory operatorsIds, uint32 indexInOwner, bytes memory publicKey)
    {
        Validator storage validator = _validator[keccak256(pubkey)];
        if (validator.cluster == 0) return (address(0), operatorsIds, 0, "");
        Cluster storage cluster = _clusters[validator.cluster];
        return (cluster.owner, cluster.operatorIds, _indexInOwner(validator), pubkey);
    }

    /// @inheritdoc ISafeStakeRegistry
    function committeeOf(bytes calldata publicKey) external view returns (address ownerAddress, uint32[] memory operatorIds) {
        uint32 id = _validator[keccak256(publicKey)].cluster;
        if (id == 0) revert UnknownValidator(publicKey);
        return (_clusters[id].owner, _clusters[id].operatorIds);
    }

    /// @inheritdoc ISafeStakeRegistry
    function operatorInUse(address owner, uint256 index) external view returns (uint32) {
        return _owner[owner].operatorsInUse[index];
    }

    /// @inheritdoc ISafeStakeRegistry
    function validatorOfOperator(uint32 operatorId, uint256 index) external view returns (bytes memory publicKey) {
        uint32[] storage clusters = _operator[operatorId].clusters;
        uint256 skipped;
        for (uint256 i = 0; i < clusters.length; ++i) {
            bytes32[] storage members = _clusters[clusters[i]].validators;
            if (index - skipped < members.length) return _key(_validator[members[index - skipped]]);
            skipped += members.length;
        }
        revert UnknownValidator("");
    }

    /// @inheritdoc ISafeStakeRegistry
    function version() external pure returns (uint32) {
        return 1;
    }

    // Parts

    function _setOperatorFee(uint256 fee) private {
        if (fee == 0 || fee > FEE_LIMIT) revert InvalidFee(fee);
        emit OperatorFeeUpdate(_operatorFee, fee);
        _operatorFee = fee;
    }

    /// Makes room for `count` validators of an owner with a committee, and counts them. Returns the id of the cluster.
    function _join(address ownerAddress, uint32[] calldata operatorIds, uint32 count) private returns (uint32 id) {
        if (ownerAddress == address(0)) revert ZeroAddress();
        if (count == 0) revert EmptyList();
        if (!Committee.isSize(operatorIds.length)) revert InvalidCommitteeSize(operatorIds.length);
        require(Committee.isAscending(operatorIds), "E3");
        Owner storage owner = _owner[ownerAddress];
        require(owner.operators.length == 0, "E2");
        for (uint256 i = 0; i < operatorIds.length; ++i) {
            Operator storage operator = _operator[operatorIds[i]];
            require(operator.active, "E4");
            uint256 validators = uint256(operator.validatorCount) + count;
            require(validators <= VALIDATORS_PER_OPERATOR_LIMIT, "E5");
            operator.validatorCount = uint32(validators);
        }
        owner.activeValidatorCount += count;
        _activeValidatorCount += count;

        bytes32 hash = keccak256(abi.encode(ownerAddress, operatorIds));
        id = _clusterIds[hash];
        if (id == 0) {
            id = ++_clusterCount;
            _clusterIds[hash] = id;
            _clusters[id].owner = ownerAddress;
            _clusters[id].operatorIds = operatorIds;
            owner.clusters.push(id);
            for (uint256 i = 0; i < operatorIds.length; ++i) {
                _operator[operatorIds[i]].clusters.push(id);
            }
        }
        if (_clusters[id].validators.length == 0) _useOperators(ownerAddress, operatorIds);
    }

    /// Adds a validator to a cluster that has counted it.
    function _add(uint32 clusterId, bytes calldata publicKey) private {
        require(publicKey.length == Committee.VALIDATOR_KEY_LENGTH, "D1");
        bytes32 hash = keccak256(publicKey);
        Validator storage validator = _validator[hash];
        require(validator.cluster == 0, "E1");
        bytes32[] storage members = _clusters[clusterId].validators;
        validator.keyHead = bytes32(publicKey[:32]);
        validator.keyTail = bytes16(publicKey[32:]);
        validator.cluster = clusterId;
        validator.indexInCluster = uint32(members.length);
        members.push(hash);
    }

    function _remove(bytes calldata publicKey) private returns (address ownerAddress, uint32[] memory operatorIds) {
        bytes32 hash = keccak256(publicKey);
        Validator memory validator = _validator[hash];
        if (validator.cluster == 0) revert UnknownValidator(publicKey);
        Cluster storage cluster = _clusters[validator.cluster];
        ownerAddress = cluster.owner;
        operatorIds = cluster.operatorIds;
        bytes32 last = cluster.validators[cluster.validators.length - 1];
        cluster.validators[validator.indexInCluster] = last;
        _validator[last].indexInCluster = validator.indexInCluster;
        cluster.validators.pop();
        delete _validator[hash];

        --_owner[ownerAddress].activeValidatorCount;
        --_activeValidatorCount;
        for (uint256 i = 0; i < operatorIds.length; ++i) {
            --_operator[operatorIds[i]].validatorCount;
        }
        if (cluster.validators.length == 0) _releaseOperators(ownerAddress, operatorIds);
    }

    /// A cluster got its first validator.
    function _useOperators(address ownerAddress, uint32[] calldata operatorIds) private {
        uint32[] storage inUse = _owner[ownerAddress].operatorsInUse;
        for (uint256 i = 0; i < operatorIds.length; ++i) {
            Use storage use = _uses[ownerAddress][operatorIds[i]];
            if (use.clusters == 0) {
                use.index = uint32(inUse.length);
                inUse.push(operatorIds[i]);
            }
            ++use.clusters;
        }
        if (inUse.length > OPERATORS_IN_USE_PER_ACCOUNT_LIMIT) {
            revert TooManyOperatorsInUse(ownerAddress, OPERATORS_IN_USE_PER_ACCOUNT_LIMIT);
        }
    }

    /// A cluster lost its last validator.
    function _releaseOperators(address ownerAddress, uint32[] memory operatorIds) private {
        uint32[] storage inUse = _owner[ownerAddress].operatorsInUse;
        for (uint256 i = 0; i < operatorIds.length; ++i) {
            Use storage use = _uses[ownerAddress][operatorIds[i]];
            if (--use.clusters == 0) {
                uint32 last = inUse[inUse.length - 1];
                inUse[use.index] = last;
                _uses[ownerAddress][last].index = use.index;
                inUse.pop();
            }
        }
    }

    /// Place of a validator in the list of `ownerOf`.
    function _indexInOwner(Validator storage validator) private view returns (uint32) {
        uint32[] storage clusters = _owner[_clusters[validator.cluster].owner].clusters;
        uint256 before;
        for (uint256 i = 0; clusters[i] != validator.cluster; ++i) {
            before += _clusters[clusters[i]].validators.length;
        }
        return uint32(before + validator.indexInCluster);
    }

    function _key(Validator storage validator) private view returns (bytes memory) {
        return abi.encodePacked(validator.keyHead, validator.keyTail);
    }
}
