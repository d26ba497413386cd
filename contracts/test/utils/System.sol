// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {TransparentUpgradeableProxy} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {SafeStakeClusterNode} from "../../src/SafeStakeClusterNode.sol";
import {SafeStakeNetwork} from "../../src/SafeStakeNetwork.sol";
import {SafeStakeOperatorConfig} from "../../src/SafeStakeOperatorConfig.sol";
import {SafeStakeRegistry} from "../../src/SafeStakeRegistry.sol";
import {SafeStakeStorage} from "../../src/SafeStakeStorage.sol";
import {ISafeStakeClusterNode} from "../../src/interfaces/ISafeStakeClusterNode.sol";
import {Test} from "./Test.sol";
import {vm} from "./Vm.sol";

/// The whole system behind its proxies, as the deployment script sets it up, with keys and shares to call it.
abstract contract System is Test {
    uint64 internal constant OPERATOR_FEE = 1000;
    uint64 internal constant NETWORK_FEE = 100;
    uint64 internal constant MINIMUM_BLOCKS = 100;
    /// Of a committee of four, per block.
    uint256 internal constant PRICE = 4 * (OPERATOR_FEE + NETWORK_FEE);
    uint256 internal constant SIGNER_KEY = 0x5157;

    SafeStakeRegistry internal registry;
    SafeStakeNetwork internal network;
    SafeStakeClusterNode internal clusterNode;
    SafeStakeOperatorConfig internal config;
    SafeStakeStorage internal store;
    address internal admin;
    address internal proxyOwner;
    address internal owner;
    address internal stranger;

    function deploySystem(address token, uint32 firstOperatorId) internal {
        admin = named("admin");
        proxyOwner = named("proxy owner");
        owner = named("owner");
        stranger = named("stranger");
        vm.deal(owner, 1000 ether);
        vm.deal(stranger, 1000 ether);
        vm.roll(1_000_000);
        vm.startPrank(admin);
        registry = SafeStakeRegistry(proxy(address(new SafeStakeRegistry(firstOperatorId)), ""));
        network = SafeStakeNetwork(
            payable(proxy(
                    address(new SafeStakeNetwork()),
                    abi.encodeCall(SafeStakeNetwork.initialize, (address(registry), token, MINIMUM_BLOCKS, OPERATOR_FEE))
                ))
        );
        clusterNode = SafeStakeClusterNode(
            payable(proxy(address(new SafeStakeClusterNode()), abi.encodeCall(SafeStakeClusterNode.initialize, (token, address(registry)))))
        );
        store = SafeStakeStorage(proxy(address(new SafeStakeStorage()), abi.encodeCall(SafeStakeStorage.initialize, ())));
        config = SafeStakeOperatorConfig(
            proxy(address(new SafeStakeOperatorConfig()), abi.encodeCall(SafeStakeOperatorConfig.initialize, (address(store))))
        );
        store.grantRole(store.NODE_ROLE(), address(config));
        network.grantRole(network.SIGNER_ROLE(), vm.addr(SIGNER_KEY));
        vm.stopPrank();
    }

    function proxy(address implementation, bytes memory data) internal returns (address) {
        return address(new TransparentUpgradeableProxy(implementation, proxyOwner, data));
    }

    function operatorOwner(uint256 index) internal returns (address) {
        return named(string.concat("operator owner ", vm.toString(index)));
    }

    function operatorKey(uint256 index) internal pure returns (bytes memory) {
        return abi.encodePacked(bytes1(0x02), keccak256(abi.encode("operator", index)));
    }

    /// Registers operators, each with an owner of its own, and returns their ids.
    function registerOperators(uint256 from, uint256 count) internal returns (uint32[] memory ids) {
        ids = new uint32[](count);
        for (uint256 i = 0; i < count; ++i) {
            address account = operatorOwner(from + i);
            vm.prank(account);
            ids[i] = network.registerOperator(account, "operator", operatorKey(from + i));
        }
    }

    function validatorKey(uint256 index) internal pure returns (bytes memory) {
        return abi.encodePacked(keccak256(abi.encode("validator", index)), bytes16(keccak256(abi.encode("tail", index))));
    }

    function validatorKeys(uint256 from, uint256 count) internal pure returns (bytes[] memory keys) {
        keys = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            keys[i] = validatorKey(from + i);
        }
    }

    /// Public and sealed shares of a validator, different for every validator and operator.
    function shares(uint256 index, uint256 size) internal pure returns (bytes[] memory publicShares, bytes[] memory encryptedShares) {
        publicShares = new bytes[](size);
        encryptedShares = new bytes[](size);
        for (uint256 i = 0; i < size; ++i) {
            bytes32 seed = keccak256(abi.encode(index, i));
            publicShares[i] = abi.encodePacked(seed, bytes16(seed));
            encryptedShares[i] = abi.encodePacked(seed, ~seed, bytes29(seed));
        }
    }

    function manyShares(uint256 from, uint256 count, uint256 size)
        internal
        pure
        returns (bytes[][] memory publicShares, bytes[][] memory encryptedShares)
    {
        publicShares = new bytes[][](count);
        encryptedShares = new bytes[][](count);
        for (uint256 i = 0; i < count; ++i) {
            (publicShares[i], encryptedShares[i]) = shares(from + i, size);
        }
    }

    /// Registers validator `index` for `account` in native currency.
    function registerValidator(address account, uint256 index, uint32[] memory ids, uint256 amount) internal {
        (bytes[] memory publicShares, bytes[] memory encryptedShares) = shares(index, ids.length);
        vm.prank(account);
        network.registerValidator{value: amount}(account, validatorKey(index), ids, publicShares, encryptedShares, amount);
    }

    function oneKey(bytes memory key) internal pure returns (bytes[] memory list) {
        list = new bytes[](1);
        list[0] = key;
    }

    function oneId(uint32 id) internal pure returns (uint32[] memory list) {
        list = new uint32[](1);
        list[0] = id;
    }

    function oneValue(uint256 value) internal pure returns (uint256[] memory list) {
        list = new uint256[](1);
        list[0] = value;
    }

    function committee(uint32 a, uint32 b, uint32 c, uint32 d) internal pure returns (uint32[] memory ids) {
        ids = new uint32[](4);
        (ids[0], ids[1], ids[2], ids[3]) = (a, b, c, d);
    }

    /// EIP-712 digest of a claim, written out apart from the contract.
    function claimDigest(
        address account,
        uint32[] memory ids,
        uint256[] memory amounts,
        uint256[] memory penalties,
        uint256 claimBlock,
        uint256 nonce
    ) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("SafeStakeNetwork"),
                keccak256("1"),
                block.chainid,
                address(network)
            )
        );
        bytes32 content = keccak256(
            abi.encode(
                keccak256(
                    "AccountClaim(address account,uint32[] operatorIds,uint256[] amounts,uint256[] penalties,uint256 claimBlockNumber,uint256 nonce)"
                ),
                account,
                keccak256(abi.encodePacked(ids)),
                keccak256(abi.encodePacked(amounts)),
                keccak256(abi.encodePacked(penalties)),
                claimBlock,
                nonce
            )
        );
        return keccak256(abi.encodePacked("\x19\x01", domain, content));
    }

    /// EIP-712 digest of an owner's request, written out apart from the contract.
    function requestDigest(ISafeStakeClusterNode.Request memory r, uint256 nonce, uint256 deadline) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("SafeStakeClusterNode"),
                keccak256("1"),
                block.chainid,
                address(clusterNode)
            )
        );
        bytes32 content = keccak256(
            abi.encode(
                keccak256(
                    "GenerateDepositData(bytes clusterNodePublicKey,address owner,uint256 validatorCount,uint32[] operatorIds,uint256 depositAmount,address withdrawAddress,uint256 nonce,uint256 deadline)"
                ),
                keccak256(r.clusterNodePublicKey),
                r.owner,
                r.validatorCount,
                keccak256(abi.encodePacked(r.operatorIds)),
                r.depositAmount,
                r.withdrawAddress,
                nonce,
                deadline
            )
        );
        return keccak256(abi.encodePacked("\x19\x01", domain, content));
    }
}
