// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Administered} from "./Administered.sol";
import {StETH} from "./StETH.sol";

/// A double of CSM's FeeDistributor: rewards of operators, as a Merkle tree of cumulative shares of stETH.
contract FeeDistributor is Administered {
    StETH public immutable stETH;
    address public immutable accounting;
    bytes32 public treeRoot;
    string public treeCid;
    string public logCid;
    mapping(uint256 id => uint256) public distributedShares;

    event DistributionDataUpdated(uint256 totalClaimableShares, bytes32 treeRoot, string treeCid);
    event DistributionLogUpdated(string logCid);
    event OperatorFeeDistributed(uint256 indexed nodeOperatorId, uint256 shares);

    error InvalidProof();
    error FeeSharesDecrease();
    error NotEnoughShares();
    error SenderIsNotAccounting();

    constructor(address admin_, StETH stETH_, address accounting_) Administered(admin_) {
        stETH = stETH_;
        accounting = accounting_;
    }

    /// Test function: what the oracle reports. The shares are sent here apart from it.
    function processOracleReport(bytes32 treeRoot_, string calldata treeCid_, string calldata logCid_) external onlyAdmin {
        (treeRoot, treeCid, logCid) = (treeRoot_, treeCid_, logCid_);
        emit DistributionDataUpdated(stETH.sharesOf(address(this)), treeRoot_, treeCid_);
        emit DistributionLogUpdated(logCid_);
    }

    function distributeFees(uint256 nodeOperatorId, uint256 cumulativeFeeShares, bytes32[] calldata proof)
        external
        returns (uint256 shares)
    {
        if (msg.sender != accounting) revert SenderIsNotAccounting();
        shares = getFeesToDistribute(nodeOperatorId, cumulativeFeeShares, proof);
        if (shares == 0) return 0;
        if (stETH.sharesOf(address(this)) < shares) revert NotEnoughShares();
        distributedShares[nodeOperatorId] += shares;
        stETH.transferShares(accounting, shares);
        emit OperatorFeeDistributed(nodeOperatorId, shares);
    }

    function getFeesToDistribute(uint256 nodeOperatorId, uint256 cumulativeFeeShares, bytes32[] calldata proof)
        public
        view
        returns (uint256)
    {
        if (!MerkleProof.verifyCalldata(proof, treeRoot, hashLeaf(nodeOperatorId, cumulativeFeeShares))) revert InvalidProof();
        if (distributedShares[nodeOperatorId] > cumulativeFeeShares) revert FeeSharesDecrease();
        return cumulativeFeeShares - distributedShares[nodeOperatorId];
    }

    function hashLeaf(uint256 nodeOperatorId, uint256 shares) public pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(nodeOperatorId, shares))));
    }
}
