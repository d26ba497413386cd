// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {SafeStakeNetwork} from "../src/SafeStakeNetwork.sol";
import {System} from "./utils/System.sol";
import {PlainToken} from "./utils/Tokens.sol";
import {vm} from "./utils/Vm.sol";

/// Does what owners, operators, the admin and time do, in any order, and keeps the books apart from the contract.
contract Actions is System {
    uint32[] internal ids;
    mapping(address account => uint256) public paidIn;
    mapping(address account => uint256) public paidOut;
    uint256 public totalIn;
    uint256 public totalOut;
    uint256 internal nonce;
    uint256 internal constant KEYS = 12;

    PlainToken public token;

    /// @param inTokens Whether fees are paid in a token.
    constructor(bool inTokens) {
        if (inTokens) token = new PlainToken();
        deploySystem(address(token), 0);
        ids = registerOperators(0, 8);
        for (uint256 i = 0; i < 3; ++i) {
            vm.deal(account(i), 1_000_000 ether);
            if (inTokens) token.mint(account(i), 1_000_000 ether);
        }
    }

    function account(uint256 index) public returns (address) {
        return named(string.concat("owner ", vm.toString(index % 3)));
    }

    function balanceOf(address holder) public view returns (uint256) {
        return address(token) == address(0) ? holder.balance : token.balanceOf(holder);
    }

    /// Allows the contract to take a payment in tokens; what has to be sent with the call otherwise.
    function toPay(address payer, uint256 amount) internal returns (uint256 value) {
        if (address(token) == address(0)) return amount;
        vm.prank(payer);
        token.approve(address(network), amount);
    }

    function systemNetwork() external view returns (address) {
        return address(network);
    }

    function ownerOfKey(uint256 index) public view returns (address owner_) {
        (owner_,,,) = registry.validatorOf(validatorKey(index));
    }

    function committeeFor(uint256 seed) internal view returns (uint32[] memory) {
        uint256 first = seed % 5;
        return committee(ids[first], ids[first + 1], ids[first + 2], ids[first + 3]);
    }

    function register(uint256 seed, uint256 amount, uint256 key) external {
        key %= KEYS;
        if (ownerOfKey(key) != address(0)) return;
        address payer = account(seed);
        uint32[] memory committee_ = committeeFor(seed >> 8);
        amount = bound(amount, network.operatorFee(true) * 4 * MINIMUM_BLOCKS, network.operatorFee(true) * 4 * 500_000);
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(key, 4);
        uint256 value = toPay(payer, amount);
        vm.prank(payer);
        network.registerValidator{value: value}(payer, validatorKey(key), committee_, publicShares, encryptedShares, amount);
        paidIn[payer] += amount;
        totalIn += amount;
    }

    function topUp(uint256 amount, uint256 key) external {
        key %= KEYS;
        address payer = ownerOfKey(key);
        if (payer == address(0)) return;
        amount = bound(amount, network.operatorFee(true) * 4 * MINIMUM_BLOCKS, network.operatorFee(true) * 4 * 100_000);
        uint256 value = toPay(payer, amount);
        vm.prank(payer);
        network.deposit{value: value}(oneKey(validatorKey(key)), oneValue(amount), amount);
        paidIn[payer] += amount;
        totalIn += amount;
    }

    function replace(uint256 seed, uint256 key) external {
        key %= KEYS;
        address payer = ownerOfKey(key);
        if (payer == address(0)) return;
        uint256 amount = network.operatorFee(true) * 4 * MINIMUM_BLOCKS;
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(seed, 4);
        uint256 value = toPay(payer, amount);
        vm.prank(payer);
        network.replaceValidator{value: value}(validatorKey(key), committeeFor(seed), publicShares, encryptedShares, amount);
        paidIn[payer] += amount;
        totalIn += amount;
    }

    function remove(uint256 key) external {
        key %= KEYS;
        address payer = ownerOfKey(key);
        if (payer == address(0)) return;
        uint256 before = balanceOf(payer);
        vm.prank(payer);
        network.removeValidator(oneKey(validatorKey(key)));
        paidOut[payer] += balanceOf(payer) - before;
        totalOut += balanceOf(payer) - before;
    }

    function claim(uint256 index, uint256 amount, uint256 penalty) external {
        uint32 id = ids[index % ids.length];
        address to = operatorOwner(index % ids.length);
        uint256 earned = network.getOperatorEarningsById(id);
        amount = bound(amount, 0, earned);
        penalty = bound(penalty, 0, earned - amount);
        vm.roll(block.number + 2);
        uint256 at = block.number - 1;
        bytes32 digest = claimDigest(to, oneId(id), oneValue(amount), oneValue(penalty), at, ++nonce);
        vm.prank(to);
        network.accountClaimFee(oneId(id), oneValue(amount), oneValue(penalty), at, nonce, signature(SIGNER_KEY, digest));
        totalOut += amount;
    }

    function withdraw(uint256 amount) external {
        (, uint256 earnings, uint256 claimed, uint256 penalty) = network.self();
        uint256 available = earnings + penalty - claimed;
        if (available == 0) return;
        amount = bound(amount, 1, available);
        // Deductions of streams that just started can make less available than was earned.
        vm.prank(admin);
        try network.withdrawNetworkEarnings(amount) {
            totalOut += amount;
        } catch Error(string memory code) {
            vm.assertEq(bytes(code), bytes("D0"), "code");
        }
    }

    function changeFee(uint256 fee) external {
        vm.startPrank(admin);
        registry.updateOperatorFee(uint64(bound(fee, 500, 2000)));
        network.updateNetworkFee(bound(fee >> 64, 0, 200));
        vm.stopPrank();
    }

    function wait(uint256 blocks) external {
        vm.roll(block.number + bound(blocks, 1, 120_000));
    }

    /// What the contract owes if all validators left in this block: operators, network, owners.
    function owed() external returns (uint256 sum) {
        for (uint256 key = 0; key < KEYS; ++key) {
            address payer = ownerOfKey(key);
            if (payer == address(0)) continue;
            (,,, uint256 left,) = network._validatorDatas(validatorKey(key));
            uint256 before = balanceOf(payer);
            vm.prank(payer);
            network.removeValidator(oneKey(validatorKey(key)));
            vm.assertEq(balanceOf(payer) - before, left, "refund is the balance shown");
            sum += left;
        }
        for (uint256 i = 0; i < ids.length; ++i) {
            sum += network.getOperatorEarningsById(ids[i]);
        }
        (, uint256 earnings, uint256 claimed, uint256 penalty) = network.self();
        sum += earnings + penalty - claimed;
    }
}

abstract contract Invariants is System {
    Actions internal actions;

    function start(bool inTokens) internal {
        actions = new Actions(inTokens);
        network = SafeStakeNetwork(payable(actions.systemNetwork()));
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actions);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](8);
        selectors[0] = Actions.register.selector;
        selectors[1] = Actions.topUp.selector;
        selectors[2] = Actions.replace.selector;
        selectors[3] = Actions.remove.selector;
        selectors[4] = Actions.claim.selector;
        selectors[5] = Actions.withdraw.selector;
        selectors[6] = Actions.changeFee.selector;
        selectors[7] = Actions.wait.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(actions), selectors);
    }

    /// What is held is what came in less what went out, and is there.
    function invariant_HoldsWhatItsBooksSay() public view {
        vm.assertEq(network.fundsHeld(), actions.totalIn() - actions.totalOut(), "books");
        vm.assertEq(actions.balanceOf(address(network)), network.fundsHeld(), "balance");
    }

    function invariant_NobodyGetsBackMoreThanTheyPaid() public {
        for (uint256 i = 0; i < 3; ++i) {
            address account = actions.account(i);
            vm.assertLe(actions.paidOut(account), actions.paidIn(account), "owner");
        }
    }

    /// The sum of all balances is what the contract holds, to the unit.
    function afterInvariant() public {
        uint256 held = network.fundsHeld();
        vm.assertEq(actions.owed(), held, "owners, operators and network together");
    }
}

contract SafeStakeNetworkInvariantsTest is Invariants {
    function setUp() public {
        start(false);
    }
}

contract SafeStakeNetworkInvariantsInTokensTest is Invariants {
    function setUp() public {
        start(true);
    }
}
