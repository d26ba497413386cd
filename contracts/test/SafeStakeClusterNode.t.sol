// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ISafeStakeClusterNode} from "../src/interfaces/ISafeStakeClusterNode.sol";
import {System} from "./utils/System.sol";
import {OddToken, PlainToken} from "./utils/Tokens.sol";
import {Vm, vm} from "./utils/Vm.sol";

contract SafeStakeClusterNodeTest is System {
    uint256 internal constant OWNER_KEY = 0xA11CE;
    uint256 internal constant FEE = 3000;
    address internal constant WITHDRAW = address(0xBEEF);

    uint32[] internal ids;
    bytes internal cluster;
    bytes internal ownerPubkey;

    function setUp() public {
        deploySystem(address(0), 0);
        ids = registerOperators(0, 13);
        useWalletAsOwner();
        cluster = operatorKey(500);
        vm.prank(stranger);
        clusterNode.registerClusterNode(cluster);
        setFee(1, FEE);
    }

    function useWalletAsOwner() internal {
        Vm.Wallet memory wallet = vm.createWallet(OWNER_KEY);
        owner = wallet.addr;
        ownerPubkey = abi.encodePacked(bytes1(0x04), wallet.publicKeyX, wallet.publicKeyY);
        vm.deal(owner, 1000 ether);
    }

    function setFee(uint8 action, uint256 fee) internal {
        uint8[] memory actions = new uint8[](1);
        actions[0] = action;
        vm.prank(admin);
        clusterNode.setActionFees(actions, oneValue(fee));
    }

    function some(uint256 count) internal view returns (uint32[] memory list) {
        list = new uint32[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = ids[i];
        }
    }

    function good() internal view returns (ISafeStakeClusterNode.Request memory) {
        return ISafeStakeClusterNode.Request(cluster, owner, ownerPubkey, 2, some(4), 32 ether, WITHDRAW);
    }

    function send(address sender, uint256 value, ISafeStakeClusterNode.Request memory r) internal {
        vm.prank(sender);
        clusterNode.generateDepositData{value: value}(
            r.clusterNodePublicKey, r.owner, r.ownerPubkey, r.validatorCount, r.operatorIds, r.depositAmount, r.withdrawAddress
        );
    }

    function refused(ISafeStakeClusterNode.Request memory request, bytes4 selector) internal {
        vm.expectPartialRevert(selector);
        send(owner, FEE * 2, request);
    }

    // Cluster nodes

    function test_RegistrationOfAClusterNode() public {
        bytes memory key = operatorKey(501);
        vm.expectEmit(true, true, true, true, address(clusterNode));
        emit ISafeStakeClusterNode.ClusterNodeRegistration(owner, key);
        vm.prank(owner);
        clusterNode.registerClusterNode(key);
        (address account, bool active) = clusterNode.getClusterNode(key);
        vm.assertTrue(account == owner && active, "registered");
        (address account_, bytes memory key_, bool active_) = clusterNode._clusterNodes(key);
        vm.assertTrue(account_ == owner && active_ && keccak256(key_) == keccak256(key), "in full");
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.ClusterNodeExists.selector, key));
        clusterNode.registerClusterNode(key);
        vm.expectPartialRevert(ISafeStakeClusterNode.InvalidClusterNodePublicKey.selector);
        clusterNode.registerClusterNode(new bytes(33));
        (account, active) = clusterNode.getClusterNode(operatorKey(502));
        vm.assertTrue(account == address(0) && !active, "unknown");
    }

    function test_AClusterNodeOutOfUse() public {
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.NotClusterNodeOwner.selector, owner));
        clusterNode.setClusterNodeActive(cluster, false);
        vm.prank(stranger);
        clusterNode.setClusterNodeActive(cluster, false);
        refused(good(), ISafeStakeClusterNode.ClusterNodeNotActive.selector);
        vm.prank(admin);
        clusterNode.setClusterNodeActive(cluster, true);
        send(owner, FEE * 2, good());
        vm.expectPartialRevert(ISafeStakeClusterNode.InvalidClusterNodePublicKey.selector);
        clusterNode.setClusterNodeActive(operatorKey(502), true);
    }

    // Requests for validators

    function test_RequestEmitsWhatOperatorsNeed() public {
        vm.expectEmit(true, true, true, true, address(clusterNode));
        emit ISafeStakeClusterNode.ValidatorDepositDataGeneration(cluster, owner, ownerPubkey, 2, some(4), 32 ether, WITHDRAW);
        send(owner, FEE * 2, good());
        assertEq(address(clusterNode).balance, FEE * 2, "fee");
    }

    function test_FeeIsExact() public {
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.WrongFee.selector, FEE * 2, FEE * 2 - 1));
        send(owner, FEE * 2 - 1, good());
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.WrongFee.selector, FEE * 2, FEE * 2 + 1));
        send(owner, FEE * 2 + 1, good());
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.WrongFee.selector, FEE * 2, 0));
        send(owner, 0, good());
    }

    function test_OwnerIsTheCaller() public {
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.NotOwner.selector, owner, stranger));
        send(stranger, FEE * 2, good());
        ISafeStakeClusterNode.Request memory request = good();
        request.owner = address(0);
        vm.expectPartialRevert(ISafeStakeClusterNode.OwnerPublicKeyMismatch.selector);
        send(address(0), 0, request);
    }

    function test_OwnerKeyBelongsToTheOwner() public {
        ISafeStakeClusterNode.Request memory request = good();
        request.ownerPubkey[64] = ~request.ownerPubkey[64];
        refused(request, ISafeStakeClusterNode.OwnerPublicKeyMismatch.selector);
        request.ownerPubkey = new bytes(0);
        refused(request, ISafeStakeClusterNode.OwnerPublicKeyMismatch.selector);
        request.ownerPubkey = abi.encodePacked(ownerPubkey, bytes1(0));
        refused(request, ISafeStakeClusterNode.OwnerPublicKeyMismatch.selector);
        vm.assertEq(clusterNode.bytesToAddress(ownerPubkey), owner, "address of a key");
        vm.assertEq(clusterNode.bytesToAddress(new bytes(65)), address(0), "wrong prefix");
        vm.assertEq(clusterNode.bytesToAddress(""), address(0), "no key");
    }

    function test_AbsurdCounts() public {
        ISafeStakeClusterNode.Request memory request = good();
        request.validatorCount = 0;
        refused(request, ISafeStakeClusterNode.InvalidValidatorCount.selector);
        request.validatorCount = 1001;
        refused(request, ISafeStakeClusterNode.InvalidValidatorCount.selector);
        request.validatorCount = type(uint256).max;
        refused(request, ISafeStakeClusterNode.InvalidValidatorCount.selector);
        request.validatorCount = 1000;
        send(owner, FEE * 1000, request);
    }

    function test_Committees() public {
        uint256[4] memory sizes = [uint256(4), 7, 10, 13];
        ISafeStakeClusterNode.Request memory request = good();
        for (uint256 i = 0; i < 4; ++i) {
            request.operatorIds = some(sizes[i]);
            vm.assertTrue(clusterNode.checkSecurityLevel(request.operatorIds), "gate");
            send(owner, FEE * 2, request);
        }
        request.operatorIds = some(5);
        vm.assertFalse(clusterNode.checkSecurityLevel(request.operatorIds), "gate");
        refused(request, ISafeStakeClusterNode.InvalidCommittee.selector);
        request.operatorIds = committee(ids[0], ids[1], ids[1], ids[2]);
        vm.assertFalse(clusterNode.checkSecurityLevel(request.operatorIds), "gate");
        refused(request, ISafeStakeClusterNode.InvalidCommittee.selector);
        request.operatorIds = committee(ids[1], ids[0], ids[2], ids[3]);
        refused(request, ISafeStakeClusterNode.InvalidCommittee.selector);
        request.operatorIds = committee(ids[0], ids[1], ids[2], 999);
        refused(request, ISafeStakeClusterNode.OperatorNotActive.selector);
        vm.prank(operatorOwner(3));
        registry.removeOperator(ids[3]);
        refused(good(), ISafeStakeClusterNode.OperatorNotActive.selector);
    }

    function test_AmountWithdrawalAddressAndDisabledOwner() public {
        ISafeStakeClusterNode.Request memory request = good();
        request.depositAmount = 32 ether - 1;
        refused(request, ISafeStakeClusterNode.InvalidDepositAmount.selector);
        request.depositAmount = 32e9;
        refused(request, ISafeStakeClusterNode.InvalidDepositAmount.selector);
        request = good();
        request.withdrawAddress = address(0);
        refused(request, ISafeStakeClusterNode.ZeroWithdrawAddress.selector);
        vm.prank(admin);
        registry.disableOwnerValidators(owner);
        refused(good(), ISafeStakeClusterNode.OwnerDisabled.selector);
    }

    function test_SignedRequestIsSentByAnybodyOnce() public {
        ISafeStakeClusterNode.Request memory request = good();
        uint256 deadline = block.timestamp + 60;
        bytes memory signature_ = signature(OWNER_KEY, requestDigest(request, 0, deadline));
        vm.expectEmit(true, true, true, true, address(clusterNode));
        emit ISafeStakeClusterNode.ValidatorDepositDataGeneration(cluster, owner, ownerPubkey, 2, some(4), 32 ether, WITHDRAW);
        vm.prank(stranger);
        clusterNode.generateDepositDataFor{value: FEE * 2}(request, deadline, signature_);
        assertEq(clusterNode.nonces(owner), 1, "nonce");
        vm.prank(stranger);
        vm.expectPartialRevert(ISafeStakeClusterNode.NotOwner.selector);
        clusterNode.generateDepositDataFor{value: FEE * 2}(request, deadline, signature_);
    }

    function test_SignedRequestOfSomethingElse() public {
        ISafeStakeClusterNode.Request memory request = good();
        uint256 deadline = block.timestamp + 60;
        bytes memory signature_ = signature(OWNER_KEY, requestDigest(request, 0, deadline));
        request.withdrawAddress = stranger;
        vm.startPrank(stranger);
        vm.expectPartialRevert(ISafeStakeClusterNode.NotOwner.selector);
        clusterNode.generateDepositDataFor{value: FEE * 2}(request, deadline, signature_);
        request = good();
        vm.expectPartialRevert(ISafeStakeClusterNode.NotOwner.selector);
        clusterNode.generateDepositDataFor{value: FEE * 2}(request, deadline + 1, signature_);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.SignatureExpired.selector, deadline));
        clusterNode.generateDepositDataFor{value: FEE * 2}(request, deadline, signature_);
        vm.warp(deadline);
        vm.chainId(77);
        vm.expectPartialRevert(ISafeStakeClusterNode.NotOwner.selector);
        clusterNode.generateDepositDataFor{value: FEE * 2}(request, deadline, signature_);
    }

    function testFuzz_OnlyTheExactFeeIsTaken(uint256 count, uint256 fee, uint256 value) public {
        fee = bound(fee, 0, 1e15);
        setFee(1, fee);
        ISafeStakeClusterNode.Request memory request = good();
        request.validatorCount = bound(count, 1, 1000);
        value = value % 4 == 0 ? fee * request.validatorCount : bound(value, 0, 100 ether);
        bool exact = value == fee * request.validatorCount;
        if (!exact) vm.expectPartialRevert(ISafeStakeClusterNode.WrongFee.selector);
        send(owner, value, request);
        assertEq(address(clusterNode).balance, exact ? value : 0, "held");
    }

    // Exits

    function test_ExitsOfOwnValidators_WithoutValueWhileTheFeeIsZero() public {
        registerValidator(owner, 1, some(4), PRICE * 1000);
        registerValidator(owner, 2, some(4), PRICE * 1000);
        vm.expectEmit(true, true, true, true, address(clusterNode));
        emit ISafeStakeClusterNode.ValidatorExitDataGeneration(cluster, owner, validatorKeys(1, 2), 77);
        vm.prank(owner);
        clusterNode.generateExitData(cluster, validatorKeys(1, 2), 77);
        setFee(2, 10);
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.WrongFee.selector, 20, 0));
        clusterNode.generateExitData(cluster, validatorKeys(1, 2), 77);
        clusterNode.generateExitData{value: 20}(cluster, validatorKeys(1, 2), 77);
    }

    function test_ExitsOfOtherPeoplesValidators() public {
        registerValidator(owner, 1, some(4), PRICE * 1000);
        bytes memory refusal = abi.encodeWithSelector(ISafeStakeClusterNode.NotValidatorOwner.selector, validatorKey(1));
        vm.expectRevert(refusal);
        vm.prank(stranger);
        clusterNode.generateExitData(cluster, validatorKeys(1, 1), 77);
        // Not the admin's, not one that is gone, not one that never was.
        vm.expectRevert(refusal);
        vm.prank(admin);
        clusterNode.generateExitData(cluster, validatorKeys(1, 1), 77);
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.NotValidatorOwner.selector, validatorKey(2)));
        clusterNode.generateExitData(cluster, validatorKeys(1, 2), 77);
        network.removeValidator(oneKey(validatorKey(1)));
        vm.expectRevert(refusal);
        clusterNode.generateExitData(cluster, validatorKeys(1, 1), 77);
        vm.expectPartialRevert(ISafeStakeClusterNode.InvalidValidatorPublicKey.selector);
        clusterNode.generateExitData(cluster, oneKey(new bytes(47)), 77);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.InvalidValidatorCount.selector, 0));
        clusterNode.generateExitData(cluster, new bytes[](0), 77);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.InvalidValidatorCount.selector, 1001));
        clusterNode.generateExitData(cluster, new bytes[](1001), 77);
        vm.expectPartialRevert(ISafeStakeClusterNode.ClusterNodeNotActive.selector);
        clusterNode.generateExitData(operatorKey(502), validatorKeys(1, 1), 77);
    }

    // Fees

    function test_TokenFees() public {
        OddToken token = new OddToken();
        vm.prank(admin);
        clusterNode.modifyFeeToken(address(token));
        token.mint(owner, 10 * FEE);
        vm.prank(owner);
        token.approve(address(clusterNode), 10 * FEE);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.WrongFee.selector, 0, 1));
        send(owner, 1, good());
        send(owner, 0, good());
        assertEq(token.balanceOf(address(clusterNode)), 2 * FEE, "taken");
        token.set(false, 50);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.FeeNotReceived.selector, 2 * FEE, FEE));
        send(owner, 0, good());
        token.set(true, 0);
        vm.expectRevert();
        send(owner, 0, good());
        token.set(false, 0);
        vm.prank(admin);
        clusterNode.withdrawFees(address(token), stranger, 2 * FEE);
        assertEq(token.balanceOf(stranger), 2 * FEE, "paid out");
        vm.assertEq(clusterNode._token(), address(token), "token");
    }

    function test_FeesArePaidOut() public {
        send(owner, FEE * 2, good());
        vm.prank(owner);
        (bool sent,) = address(clusterNode).call{value: 5}("");
        vm.assertTrue(sent, "a gift");
        vm.startPrank(admin);
        vm.expectRevert(ISafeStakeClusterNode.ZeroAddress.selector);
        clusterNode.withdrawFees(address(0), address(0), 1);
        vm.expectEmit(true, true, true, true, address(clusterNode));
        emit ISafeStakeClusterNode.FeesWithdrawal(address(0), admin, FEE * 2 + 5);
        clusterNode.withdrawFees(address(0), admin, FEE * 2 + 5);
        vm.expectRevert();
        clusterNode.withdrawFees(address(0), admin, 1);
    }

    function test_Settings() public {
        vm.startPrank(admin);
        uint8[] memory actions = new uint8[](1);
        actions[0] = 3;
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.InvalidAction.selector, 3));
        clusterNode.setActionFees(actions, oneValue(1));
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.LengthMismatch.selector, 1, 2));
        clusterNode.setActionFees(actions, new uint256[](2));
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.InvalidAction.selector, 256));
        clusterNode.getActionFee(256);
        vm.expectRevert(abi.encodeWithSelector(ISafeStakeClusterNode.InvalidToken.selector, stranger));
        clusterNode.modifyFeeToken(stranger);
        assertEq(clusterNode.getActionFee(1), FEE, "fee");
        assertEq(clusterNode._actionFees(1), FEE, "fee");
        vm.assertEq(clusterNode.registry(), address(registry), "registry");
        assertEq(clusterNode.version(), 1, "version");
        vm.expectRevert();
        clusterNode.initialize(address(0), address(registry));
    }
}
