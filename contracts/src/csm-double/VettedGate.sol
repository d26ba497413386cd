// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Administered} from "./Administered.sol";
import {CSModule} from "./CSModule.sol";
import {ICSModule} from "./interfaces/ICSModule.sol";

/// A double of CSM's gate for accounts of a list (VettedGate, MerkleGate in release 3), which get a bond curve of their own. One instance for ICS, one for IDVTC.
contract VettedGate is Administered {
    CSModule public immutable MODULE;
    uint256 public immutable curveId;
    bytes32 public treeRoot;
    string public treeCid;
    mapping(address member => bool) private _consumed;

    event TreeSet(bytes32 indexed treeRoot, string treeCid);
    event Consumed(address indexed member);

    error InvalidProof();
    error AlreadyConsumed();
    error NotAllowedToClaim();

    constructor(address admin_, CSModule module, uint256 curveId_) Administered(admin_) {
        MODULE = module;
        curveId = curveId_;
    }

    function setTreeParams(bytes32 treeRoot_, string calldata treeCid_) external onlyAdmin {
        (treeRoot, treeCid) = (treeRoot_, treeCid_);
        emit TreeSet(treeRoot_, treeCid_);
    }

    function addNodeOperatorETH(
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures,
        ICSModule.NodeOperatorManagementProperties calldata managementProperties,
        bytes32[] calldata proof,
        address referrer
    ) external payable returns (uint256 nodeOperatorId) {
        nodeOperatorId = _create(managementProperties, proof, referrer);
        MODULE.addValidatorKeysETH{value: msg.value}(msg.sender, nodeOperatorId, keysCount, publicKeys, signatures);
    }

    function addNodeOperatorStETH(
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures,
        ICSModule.NodeOperatorManagementProperties calldata managementProperties,
        ICSModule.PermitInput calldata permit,
        bytes32[] calldata proof,
        address referrer
    ) external returns (uint256 nodeOperatorId) {
        nodeOperatorId = _create(managementProperties, proof, referrer);
        MODULE.addValidatorKeysStETH(msg.sender, nodeOperatorId, keysCount, publicKeys, signatures, permit);
    }

    function addNodeOperatorWstETH(
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures,
        ICSModule.NodeOperatorManagementProperties calldata managementProperties,
        ICSModule.PermitInput calldata permit,
        bytes32[] calldata proof,
        address referrer
    ) external returns (uint256 nodeOperatorId) {
        nodeOperatorId = _create(managementProperties, proof, referrer);
        MODULE.addValidatorKeysWstETH(msg.sender, nodeOperatorId, keysCount, publicKeys, signatures, permit);
    }

    /// Gives an operator that exists the bond curve of this gate. Its owner, who is on the list.
    function claimBondCurve(uint256 nodeOperatorId, bytes32[] calldata proof) external {
        if (MODULE.getNodeOperatorOwner(nodeOperatorId) != msg.sender) revert NotAllowedToClaim();
        _consume(proof);
        MODULE.accounting().setBondCurve(nodeOperatorId, curveId);
        MODULE.updateDepositableValidatorsCount(nodeOperatorId);
    }

    function isConsumed(address member) external view returns (bool) {
        return _consumed[member];
    }

    function verifyProof(address member, bytes32[] calldata proof) public view returns (bool) {
        return MerkleProof.verifyCalldata(proof, treeRoot, hashLeaf(member));
    }

    function hashLeaf(address member) public pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(member))));
    }

    function _create(ICSModule.NodeOperatorManagementProperties calldata managementProperties, bytes32[] calldata proof, address referrer)
        private
        returns (uint256 nodeOperatorId)
    {
        _consume(proof);
        nodeOperatorId = MODULE.createNodeOperator(msg.sender, managementProperties, referrer);
        MODULE.accounting().setBondCurve(nodeOperatorId, curveId);
    }

    function _consume(bytes32[] calldata proof) private {
        if (_consumed[msg.sender]) revert AlreadyConsumed();
        if (!verifyProof(msg.sender, proof)) revert InvalidProof();
        _consumed[msg.sender] = true;
        emit Consumed(msg.sender);
    }
}
