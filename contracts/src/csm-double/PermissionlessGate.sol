// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {CSModule} from "./CSModule.sol";
import {ICSModule} from "./interfaces/ICSModule.sol";

/// A double of CSM's gate for everybody.
contract PermissionlessGate {
    uint256 public constant CURVE_ID = 0;

    CSModule public immutable MODULE;

    constructor(CSModule module) {
        MODULE = module;
    }

    function addNodeOperatorETH(
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures,
        ICSModule.NodeOperatorManagementProperties calldata managementProperties,
        address referrer
    ) external payable returns (uint256 nodeOperatorId) {
        nodeOperatorId = MODULE.createNodeOperator(msg.sender, managementProperties, referrer);
        MODULE.addValidatorKeysETH{value: msg.value}(msg.sender, nodeOperatorId, keysCount, publicKeys, signatures);
    }

    function addNodeOperatorStETH(
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures,
        ICSModule.NodeOperatorManagementProperties calldata managementProperties,
        ICSModule.PermitInput calldata permit,
        address referrer
    ) external returns (uint256 nodeOperatorId) {
        nodeOperatorId = MODULE.createNodeOperator(msg.sender, managementProperties, referrer);
        MODULE.addValidatorKeysStETH(msg.sender, nodeOperatorId, keysCount, publicKeys, signatures, permit);
    }

    function addNodeOperatorWstETH(
        uint256 keysCount,
        bytes calldata publicKeys,
        bytes calldata signatures,
        ICSModule.NodeOperatorManagementProperties calldata managementProperties,
        ICSModule.PermitInput calldata permit,
        address referrer
    ) external returns (uint256 nodeOperatorId) {
        nodeOperatorId = MODULE.createNodeOperator(msg.sender, managementProperties, referrer);
        MODULE.addValidatorKeysWstETH(msg.sender, nodeOperatorId, keysCount, publicKeys, signatures, permit);
    }
}
