// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {SafeStakeClusterNode} from "../src/SafeStakeClusterNode.sol";
import {SafeStakeNetwork} from "../src/SafeStakeNetwork.sol";
import {ISafeStakeClusterNode} from "../src/interfaces/ISafeStakeClusterNode.sol";
import {System} from "./utils/System.sol";
import {vm} from "./utils/Vm.sol";

/// The digests that the other tests sign, against vectors that another implementation of EIP-712 made.
contract VectorsTest is System {
    string internal vectors = vm.readFile("../vectors/eip712-contracts.json");

    function setUp() public {
        vm.chainId(31_337);
        network = SafeStakeNetwork(payable(0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9));
        clusterNode = SafeStakeClusterNode(payable(0x5FC8d32690cc91D4c39d9d3abcBD16989F875707));
    }

    function test_ClaimDigest() public view {
        uint32[] memory ids = new uint32[](2);
        (ids[0], ids[1]) = (0, 7);
        uint256[] memory amounts = new uint256[](2);
        (amounts[0], amounts[1]) = (1000, 2 ** 70);
        uint256[] memory penalties = new uint256[](2);
        penalties[1] = 50;
        bytes32 digest = claimDigest(0x70997970C51812dc3A010C7d01b50e0d17dc79C8, ids, amounts, penalties, 123_456, 2 ** 200 + 5);
        vm.assertEq(abi.encodePacked(digest), vm.parseJsonBytes(vectors, ".claim.digest"), "digest");
        bytes memory signed = signature(0x5959595959595959595959595959595959595959595959595959595959595959, digest);
        vm.assertEq(signed, vm.parseJsonBytes(vectors, ".claim.signature"), "signature");
    }

    function test_RequestDigest() public view {
        ISafeStakeClusterNode.Request memory request = ISafeStakeClusterNode.Request(
            abi.encodePacked(bytes1(0x02), bytes32(0x1111111111111111111111111111111111111111111111111111111111111111)),
            0x70997970C51812dc3A010C7d01b50e0d17dc79C8,
            "",
            1000,
            committee(0, 3, 7, type(uint32).max),
            32 ether,
            0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2
        );
        bytes32 digest = requestDigest(request, 3, 2_000_000_000);
        vm.assertEq(abi.encodePacked(digest), vm.parseJsonBytes(vectors, ".request.digest"), "digest");
    }
}
