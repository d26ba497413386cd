// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {DepositContract} from "../src/csm-double/DepositContract.sol";
import {Administered} from "../src/csm-double/Administered.sol";
import {StakingRouter} from "../src/csm-double/LidoLocator.sol";
import {IDepositContract} from "../src/csm-double/interfaces/IDepositContract.sol";
import {ICSModule} from "../src/csm-double/interfaces/ICSModule.sol";
import {CsmSystem} from "./utils/CsmSystem.sol";
import {vm, Vm} from "./utils/Vm.sol";

contract DepositContractTest is CsmSystem {
    struct Deposit {
        bytes pubkey;
        bytes credentials;
        bytes signature;
        bytes32 root;
        uint256 wei_;
    }

    string internal vectors = vm.readFile("../vectors/deposit-tree.json");

    // Roots

    function test_RootsAreThoseOfAnotherImplementation() public {
        bytes32[] memory roots = vm.parseJsonBytes32Array(vectors, ".roots");
        vm.assertEq(csm.depositContract.get_deposit_root(), roots[0], "the empty tree");
        for (uint256 i = 0; i + 1 < roots.length; ++i) {
            Deposit memory one = vector(i);
            vm.assertEq(
                csm.depositContract.depositDataRoot(one.pubkey, bytes32(one.credentials), amountOf(one.wei_), one.signature),
                one.root,
                "root of the data"
            );
            make(one);
            vm.assertEq(csm.depositContract.get_deposit_root(), roots[i + 1], "root of the tree");
            vm.assertEq(csm.depositContract.get_deposit_count(), littleEndian(uint64(i + 1)), "count");
        }
        assertEq(roots.length, 30, "all vectors");
        vm.assertTrue(address(csm.depositContract).balance > 29 * 32 ether, "the ether stays");
    }

    function test_TheEventSaysEverything() public {
        make(vector(1));
        Deposit memory one = vector(0);
        vm.expectEmit(true, true, true, true, address(csm.depositContract));
        emit IDepositContract.DepositEvent(one.pubkey, one.credentials, hex"0040597307000000", one.signature, littleEndian(1));
        make(one);
    }

    // Refusals

    function test_EveryFieldHasItsLength() public {
        Deposit memory one = vector(0);
        bytes memory good = one.pubkey;
        one.pubkey = abi.encodePacked(good, bytes1(0));
        refused(one, abi.encodeWithSelector(IDepositContract.InvalidLength.selector, "pubkey", 48, 49));
        (one.pubkey, good) = (good, one.credentials);
        one.credentials = "";
        refused(one, abi.encodeWithSelector(IDepositContract.InvalidLength.selector, "withdrawal_credentials", 32, 0));
        one.credentials = good;
        one.signature = abi.encodePacked(bytes32(0), bytes32(0), bytes31(0));
        refused(one, abi.encodeWithSelector(IDepositContract.InvalidLength.selector, "signature", 96, 95));
        vm.assertEq(csm.depositContract.get_deposit_count(), littleEndian(0), "none was taken");
    }

    function test_AmountsAreWholeGweiFromOneEther() public {
        Deposit memory one = vector(0);
        one.wei_ = 1 ether - 1 gwei;
        refused(one, abi.encodeWithSelector(IDepositContract.TooLittle.selector, one.wei_));
        one.wei_ = 32 ether + 1;
        refused(one, abi.encodeWithSelector(IDepositContract.NotWholeGwei.selector, one.wei_));
        one.wei_ = (uint256(type(uint64).max) + 1) * 1 gwei;
        vm.deal(address(this), one.wei_);
        refused(one, abi.encodeWithSelector(IDepositContract.TooMuch.selector, one.wei_));
        // The least and the most that there is have roots of their own.
        one.wei_ = 1 ether;
        one.root = csm.depositContract.depositDataRoot(one.pubkey, bytes32(one.credentials), amountOf(1 ether), one.signature);
        make(one);
    }

    function test_ChangedInputIsRefused() public {
        Deposit memory one = vector(0);
        bytes32 right = one.root;
        one.wei_ = 31 ether;
        refused(one, abi.encodeWithSelector(IDepositContract.OtherRoot.selector, rootOf(one), right));
        one.wei_ = 32 ether;
        one.root = ~right;
        refused(one, abi.encodeWithSelector(IDepositContract.OtherRoot.selector, right, ~right));
        one.root = right;
        one.credentials = abi.encodePacked(~bytes32(one.credentials));
        refused(one, abi.encodeWithSelector(IDepositContract.OtherRoot.selector, rootOf(one), right));
    }

    function test_AFullTreeTakesNoMore() public {
        // The count lies behind the two arrays of 32 roots.
        vm.store(address(csm.depositContract), bytes32(uint256(64)), bytes32(uint256(2 ** 32 - 2)));
        vm.assertEq(csm.depositContract.get_deposit_count(), littleEndian(2 ** 32 - 2), "the slot is the count's");
        make(vector(0));
        refused(vector(1), abi.encodeWithSelector(IDepositContract.TreeIsFull.selector));
    }

    function test_InterfacesAreAnnounced() public view {
        // EIP-165's own, and the exclusive or of the three functions of the deposit contract.
        vm.assertTrue(csm.depositContract.supportsInterface(0x01ffc9a7), "EIP-165");
        vm.assertTrue(csm.depositContract.supportsInterface(0x85640907), "deposits");
        vm.assertTrue(type(IERC165).interfaceId == 0x01ffc9a7 && type(IDepositContract).interfaceId == 0x85640907, "ids");
        vm.assertFalse(csm.depositContract.supportsInterface(0xffffffff), "no other");
    }

    // Orders of the deposit security module

    function test_KeysOfTheQueueAreDepositedByTheRouter() public {
        uint256 id = create(manager, 3);
        StakingRouter router = StakingRouter(csm.locator.stakingRouter());
        vm.recordLogs();
        router.deposit{value: 64 ether}(csm.module, 2);
        assertEq(csm.module.getNodeOperator(id).totalDepositedKeys, 2, "deposited");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 found;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(csm.depositContract)) continue;
            (bytes memory pubkey, bytes memory credentials, bytes memory amount, bytes memory signature, bytes memory index) =
                abi.decode(logs[i].data, (bytes, bytes, bytes, bytes, bytes));
            vm.assertEq(pubkey, key(found), "key");
            vm.assertEq(credentials, abi.encodePacked(bytes1(0x01), bytes11(0), csm.locator.withdrawalVault()), "credentials");
            vm.assertEq(amount, hex"0040597307000000", "amount");
            (, bytes memory signatures) = keys(found, 1);
            vm.assertEq(signature, signatures, "signature");
            vm.assertEq(index, littleEndian(uint64(found)), "index");
            ++found;
        }
        assertEq(found, 2, "deposits");
        assertEq(address(csm.depositContract).balance, 64 ether, "ether");
        // The rest of the queue, of which there is one key.
        vm.expectRevert(abi.encodeWithSelector(StakingRouter.InvalidDepositsValue.selector, 64 ether, 1));
        router.deposit{value: 64 ether}(csm.module, 2);
        vm.expectEmit(true, true, true, true, address(csm.module));
        emit ICSModule.DepositedSigningKeysCountChanged(id, 3);
        router.deposit{value: 32 ether}(csm.module, 5);
    }

    function test_NobodyElseOrdersDeposits() public {
        create(manager, 1);
        StakingRouter router = StakingRouter(csm.locator.stakingRouter());
        vm.expectRevert(Administered.OnlyAdmin.selector);
        vm.prank(stranger);
        router.deposit{value: 32 ether}(csm.module, 1);
        vm.expectRevert(ICSModule.AccessDenied.selector);
        csm.module.obtainDepositData(1, "");
    }

    // Parts

    function vector(uint256 index) internal view returns (Deposit memory one) {
        string memory at = string.concat(".deposits[", vm.toString(index), "]");
        one.pubkey = vm.parseJsonBytes(vectors, string.concat(at, ".pubkey"));
        one.credentials = vm.parseJsonBytes(vectors, string.concat(at, ".withdrawal_credentials"));
        one.signature = vm.parseJsonBytes(vectors, string.concat(at, ".signature"));
        one.root = bytes32(vm.parseJsonBytes(vectors, string.concat(at, ".deposit_data_root")));
        one.wei_ = vm.parseJsonUint(vectors, string.concat(at, ".amount")) * 1 gwei;
    }

    function make(Deposit memory one) internal {
        csm.depositContract.deposit{value: one.wei_}(one.pubkey, one.credentials, one.signature, one.root);
    }

    function refused(Deposit memory one, bytes memory reason) internal {
        vm.expectRevert(reason);
        make(one);
    }

    function rootOf(Deposit memory one) internal view returns (bytes32) {
        return csm.depositContract.depositDataRoot(one.pubkey, bytes32(one.credentials), amountOf(one.wei_), one.signature);
    }

    function amountOf(uint256 wei_) internal pure returns (bytes memory) {
        return littleEndian(uint64(wei_ / 1 gwei));
    }

    function littleEndian(uint64 value) internal pure returns (bytes memory reversed) {
        bytes memory bigEndian = abi.encodePacked(value);
        reversed = new bytes(8);
        for (uint256 i = 0; i < 8; ++i) {
            reversed[i] = bigEndian[7 - i];
        }
    }
}
