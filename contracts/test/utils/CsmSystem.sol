// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {CsmDouble} from "../../script/CsmDouble.sol";
import {VettedGate} from "../../src/csm-double/VettedGate.sol";
import {ICSModule} from "../../src/csm-double/interfaces/ICSModule.sol";
import {Test} from "./Test.sol";
import {vm} from "./Vm.sol";

/// The double of Lido's contracts with a manager and a stranger, and keys that nobody has.
abstract contract CsmSystem is Test, CsmDouble {
    uint256 internal constant MANAGER_KEY = 0xACE;
    ICSModule.NodeOperatorManagementProperties internal own;
    ICSModule.PermitInput internal noPermit;
    bytes32[] internal noProof;

    Csm internal csm;
    address internal manager;
    address internal stranger;

    function setUp() public {
        vm.deal(address(this), 1_000_000 ether);
        csm = deployCsmDouble(address(this), 3);
        manager = vm.addr(MANAGER_KEY);
        stranger = named("stranger");
        vm.deal(manager, 10_000 ether);
        vm.deal(stranger, 10_000 ether);
    }

    receive() external payable {}

    function keys(uint256 from, uint256 count) internal pure returns (bytes memory publicKeys, bytes memory signatures) {
        for (uint256 i = from; i < from + count; ++i) {
            bytes32 seed = keccak256(abi.encode(i));
            publicKeys = abi.encodePacked(publicKeys, seed, bytes16(seed));
            signatures = abi.encodePacked(signatures, seed, seed, ~seed);
        }
    }

    function key(uint256 index) internal pure returns (bytes memory publicKey) {
        (publicKey,) = keys(index, 1);
    }

    function create(address account, uint256 count) internal returns (uint256) {
        (bytes memory publicKeys, bytes memory signatures) = keys(0, count);
        uint256 bond = csm.accounting.getBondAmountByKeysCount(count, 0);
        vm.prank(account);
        return csm.permissionlessGate.addNodeOperatorETH{value: bond}(count, publicKeys, signatures, own, address(0));
    }

    function add(uint256 id, uint256 from, uint256 count) internal {
        (bytes memory publicKeys, bytes memory signatures) = keys(from, count);
        uint256 bond = csm.accounting.getRequiredBondForNextKeys(id, count);
        vm.prank(manager);
        csm.module.addValidatorKeysETH{value: bond}(manager, id, count, publicKeys, signatures);
    }

    /// A node operator of `manager` that came by a gate with a list.
    function createVetted(VettedGate gate, uint256 count) internal returns (uint256) {
        // A tree of two leaves: the proof of one is the other.
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = gate.hashLeaf(address(0xdead));
        bytes32 leaf = gate.hashLeaf(manager);
        bytes32 root = leaf < proof[0] ? keccak256(abi.encode(leaf, proof[0])) : keccak256(abi.encode(proof[0], leaf));
        gate.setTreeParams(root, "cid");
        (bytes memory publicKeys, bytes memory signatures) = keys(0, count);
        uint256 bond = csm.accounting.getBondAmountByKeysCount(count, gate.curveId());
        vm.prank(manager);
        return gate.addNodeOperatorETH{value: bond}(count, publicKeys, signatures, own, proof, address(0));
    }
}
