//! Functions that are called: of the network's contracts, and of the double of Lido's. Names and types are the contracts'.
#![allow(missing_docs, clippy::too_many_arguments)]

use alloy_sol_types::sol;

sol! {
    struct Management {
        address managerAddress;
        address rewardAddress;
        bool extendedManagerPermissions;
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
    function operatorFee(bool withNetworkFee) external view returns (uint256);

    // SafeStakeRegistry
    function verifyOperator(address owner, bool fromDao, bool verified) external;

    // SafeStakeClusterNode
    function registerClusterNode(bytes clusterNodePublicKey) external;
    function getActionFee(uint256 action) external view returns (uint256);
    function generateDepositData(bytes clusterNodePublicKey, address owner, bytes ownerPubkey, uint256 validatorCount, uint32[] operatorIds, uint256 depositAmount, address withdrawAddress) external payable;
    function generateExitData(bytes clusterNodePublicKey, bytes[] validatorPubKeys, uint256 activeEpoch) external payable;

    error NotValidatorOwner(bytes publicKey);

    // The double of CSM
    event NodeOperatorAdded(uint256 indexed nodeOperatorId, address indexed managerAddress, address indexed rewardAddress, bool extendedManagerPermissions);
    function addNodeOperatorETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management managementProperties, address referrer) external payable returns (uint256 nodeOperatorId);
    function addValidatorKeysETH(address from, uint256 nodeOperatorId, uint256 keysCount, bytes publicKeys, bytes signatures) external payable;
    function getBondAmountByKeysCount(uint256 keys, uint256 curveId) external view returns (uint256);
    function getRequiredBondForNextKeys(uint256 nodeOperatorId, uint256 additionalKeys) external view returns (uint256);
    function submit(address referral) external payable returns (uint256 shares);
    function approve(address spender, uint256 amount) external returns (bool);
    function wrap(uint256 amount) external returns (uint256 shares);
}
