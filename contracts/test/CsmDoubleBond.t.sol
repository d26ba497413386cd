// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {VettedGate} from "../src/csm-double/VettedGate.sol";
import {IAccounting} from "../src/csm-double/interfaces/IAccounting.sol";
import {ICSModule} from "../src/csm-double/interfaces/ICSModule.sol";
import {CsmSystem} from "./utils/CsmSystem.sol";
import {vm} from "./utils/Vm.sol";

contract CsmDoubleBondTest is CsmSystem {
    // Gates

    function test_VettedGateTakesAProofOnce() public {
        uint256 id = createVetted(csm.icsGate, 4);
        assertEq(csm.accounting.getBondCurveId(id), 2, "curve");
        vm.assertTrue(csm.icsGate.isConsumed(manager), "consumed");
        (bytes memory publicKeys, bytes memory signatures) = keys(0, 1);
        vm.expectRevert(VettedGate.AlreadyConsumed.selector);
        vm.prank(manager);
        csm.icsGate.addNodeOperatorETH{value: 1.5 ether}(1, publicKeys, signatures, own, noProof, address(0));
        vm.expectRevert(VettedGate.InvalidProof.selector);
        vm.prank(stranger);
        csm.icsGate.addNodeOperatorETH{value: 1.5 ether}(1, publicKeys, signatures, own, noProof, address(0));
    }

    function test_ClaimOfABondCurve() public {
        uint256 id = create(manager, 4);
        csm.idvtcGate.setTreeParams(csm.idvtcGate.hashLeaf(manager), "cid");
        vm.expectRevert(VettedGate.NotAllowedToClaim.selector);
        csm.idvtcGate.claimBondCurve(id, noProof);
        vm.prank(manager);
        csm.idvtcGate.claimBondCurve(id, noProof);
        (uint256 current, uint256 required) = csm.accounting.getBondSummary(id);
        assertEq(required, 3 ether, "less is needed");
        vm.assertGe(current, 6.3 ether - 10, "the bond is there");
        vm.expectRevert(IAccounting.SenderIsNotEligible.selector);
        vm.prank(stranger);
        csm.accounting.setBondCurve(id, 3);
    }

    // stETH and wstETH

    function test_StETHBondWithAllowanceAndWithPermit() public {
        csm.stETH.rebase{value: 0.3 ether}();
        vm.prank(manager);
        csm.stETH.submit{value: 20 ether}(address(0));
        (bytes memory publicKeys, bytes memory signatures) = keys(0, 2);
        vm.prank(manager);
        vm.expectRevert();
        csm.permissionlessGate.addNodeOperatorStETH(2, publicKeys, signatures, own, noPermit, address(0));
        ICSModule.PermitInput memory permit = stETHPermit(10 ether);
        vm.prank(manager);
        uint256 id = csm.permissionlessGate.addNodeOperatorStETH(2, publicKeys, signatures, own, permit, address(0));
        (uint256 current, uint256 required) = csm.accounting.getBondSummary(id);
        vm.assertGe(current + 10, required, "covered");
        vm.startPrank(manager);
        csm.stETH.approve(address(csm.accounting), 10 ether);
        csm.module.addValidatorKeysStETH(manager, id, 2, publicKeys, signatures, noPermit);
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 4, "depositable");
    }

    function stETHPermit(uint256 value) internal view returns (ICSModule.PermitInput memory) {
        bytes32 content = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                manager,
                address(csm.accounting),
                value,
                csm.stETH.nonces(manager),
                block.timestamp
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(MANAGER_KEY, keccak256(abi.encodePacked("\x19\x01", csm.stETH.DOMAIN_SEPARATOR(), content)));
        return ICSModule.PermitInput(value, block.timestamp, v, r, s);
    }

    function wstETHPermit(uint256 value) internal view returns (ICSModule.PermitInput memory) {
        bytes32 content = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                manager,
                address(csm.accounting),
                value,
                csm.wstETH.nonces(manager),
                block.timestamp
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(MANAGER_KEY, keccak256(abi.encodePacked("\x19\x01", csm.wstETH.DOMAIN_SEPARATOR(), content)));
        return ICSModule.PermitInput(value, block.timestamp, v, r, s);
    }

    function test_WstETHBondWithPermitAndAllowance() public {
        csm.stETH.rebase{value: 0.3 ether}();
        vm.startPrank(manager);
        csm.stETH.submit{value: 20 ether}(address(0));
        csm.stETH.approve(address(csm.wstETH), 20 ether);
        csm.wstETH.wrap(15 ether);
        (bytes memory publicKeys, bytes memory signatures) = keys(0, 2);
        uint256 id = csm.permissionlessGate.addNodeOperatorWstETH(2, publicKeys, signatures, own, wstETHPermit(5 ether), address(0));
        csm.wstETH.approve(address(csm.accounting), 10 ether);
        csm.module.addValidatorKeysWstETH(manager, id, 1, publicKeys_(1), signatures_(1), noPermit);
        (uint256 current, uint256 required) = csm.accounting.getBondSummary(id);
        vm.assertGe(current + 10, required, "covered");
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 3, "depositable");
    }

    function publicKeys_(uint256 count) internal pure returns (bytes memory list) {
        (list,) = keys(7, count);
    }

    function signatures_(uint256 count) internal pure returns (bytes memory list) {
        (, list) = keys(7, count);
    }

    function test_VettedGatesTakeStETHAndWstETH() public {
        vm.startPrank(stranger);
        csm.stETH.submit{value: 50 ether}(address(0));
        csm.stETH.approve(address(csm.accounting), 50 ether);
        vm.stopPrank();
        csm.icsGate.setTreeParams(csm.icsGate.hashLeaf(stranger), "cid");
        csm.idvtcGate.setTreeParams(csm.idvtcGate.hashLeaf(stranger), "cid");
        (bytes memory publicKeys, bytes memory signatures) = keys(0, 2);
        vm.startPrank(stranger);
        uint256 id = csm.icsGate.addNodeOperatorStETH(2, publicKeys, signatures, own, noPermit, noProof, address(0));
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 2, "ICS");
        csm.stETH.approve(address(csm.wstETH), 30 ether);
        csm.wstETH.wrap(20 ether);
        csm.wstETH.approve(address(csm.accounting), 20 ether);
        id = csm.idvtcGate.addNodeOperatorWstETH(2, publicKeys, signatures, own, noPermit, noProof, address(0));
        assertEq(csm.module.getNodeOperator(id).depositableValidatorsCount, 2, "IDVTC");
    }
}
