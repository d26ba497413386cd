//! Functions that are called: of the network's contracts, and of the double of Lido's. Names and types are the contracts'.
#![allow(missing_docs, clippy::too_many_arguments)]

use alloy_sol_types::sol;

sol! {
    struct Management {
        address managerAddress;
        address rewardAddress;
        bool extendedManagerPermissions;
    }

    struct Permit {
        uint256 value;
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    struct Group {
        uint32[] operatorIds;
        bytes[] publicKeys;
        bytes[][] sharesPublicKeys;
        bytes[][] sharesEncrypted;
        uint256 eachAmount;
    }

    // SafeStakeNetwork
    function registerOperator(address owner, string name, bytes publicKey) external returns (uint32 operatorId);
    function registerValidator(address owner, bytes publicKey, uint32[] operatorIds, bytes[] sharesPublicKeys, bytes[] sharesEncrypted, uint256 amount) external payable;
    function batchRegisterValidator(address owner, bytes[] publicKeys, uint32[] operatorIds, bytes[][] sharesPublicKeys, bytes[][] sharesEncrypteds, uint32 validatorCount, uint256 eachAmount) external payable;
    function registerValidatorGroups(address owner, Group[] groups) external payable;
    function deposit(bytes[] publickeys, uint256[] eachamounts, uint256 totalamount) external payable;
    function removeValidator(bytes[] publicKeys) external;
    function operatorFee(bool withNetworkFee) external view returns (uint256);

    // SafeStakeRegistry
    function verifyOperator(address owner, bool fromDao, bool verified) external;

    // SafeStakeClusterNode
    function registerClusterNode(bytes clusterNodePublicKey) external;
    function getActionFee(uint256 action) external view returns (uint256);
    function generateDepositData(bytes clusterNodePublicKey, address owner, bytes ownerPubkey, uint256 validatorCount, uint32[] operatorIds, uint256 depositAmount, address withdrawAddress) external payable;
    function generateExitData(bytes clusterNodePublicKey, bytes[] validatorPubKeys, uint256 activeEpoch) external payable;

    // SafeStakeOperatorConfig
    function setFeeRecipientAddress(address recipient) external;

    error NotValidatorOwner(bytes publicKey);

    // The double of CSM
    event NodeOperatorAdded(uint256 indexed nodeOperatorId, address indexed managerAddress, address indexed rewardAddress, bool extendedManagerPermissions);
    function addValidatorKeysETH(address from, uint256 nodeOperatorId, uint256 keysCount, bytes publicKeys, bytes signatures) external payable;
    function addValidatorKeysStETH(address from, uint256 nodeOperatorId, uint256 keysCount, bytes publicKeys, bytes signatures, Permit permit) external;
    function addValidatorKeysWstETH(address from, uint256 nodeOperatorId, uint256 keysCount, bytes publicKeys, bytes signatures, Permit permit) external;
    function getBondAmountByKeysCountWstETH(uint256 keys, uint256 curveId) external view returns (uint256);
    function getRequiredBondForNextKeysWstETH(uint256 nodeOperatorId, uint256 additionalKeys) external view returns (uint256);
    function setTreeParams(bytes32 treeRoot, string treeCid) external;
    function getBondAmountByKeysCount(uint256 keys, uint256 curveId) external view returns (uint256);
    function getRequiredBondForNextKeys(uint256 nodeOperatorId, uint256 additionalKeys) external view returns (uint256);
    function submit(address referral) external payable returns (uint256 shares);
    function approve(address spender, uint256 amount) external returns (bool);
    function wrap(uint256 amount) external returns (uint256 shares);

    interface OpenGate {
        function addNodeOperatorETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management managementProperties, address referrer) external payable returns (uint256 nodeOperatorId);
        function addNodeOperatorStETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management managementProperties, Permit permit, address referrer) external returns (uint256 nodeOperatorId);
        function addNodeOperatorWstETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management managementProperties, Permit permit, address referrer) external returns (uint256 nodeOperatorId);
    }

    interface VettedGate {
        function addNodeOperatorETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management managementProperties, bytes32[] proof, address referrer) external payable returns (uint256 nodeOperatorId);
        function addNodeOperatorStETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management managementProperties, Permit permit, bytes32[] proof, address referrer) external returns (uint256 nodeOperatorId);
        function addNodeOperatorWstETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management managementProperties, Permit permit, bytes32[] proof, address referrer) external returns (uint256 nodeOperatorId);
    }

    interface StakingRouter {
        function deposit(address module, uint256 maxDepositsCount) external payable;
    }
}
