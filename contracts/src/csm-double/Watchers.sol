// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Administered} from "./Administered.sol";
import {CSModule} from "./CSModule.sol";
import {ParametersRegistry} from "./ParametersRegistry.sol";

/// A double of what watches CSM's operators, as far as monitoring reads it: strikes, exit penalties, exit requests, oracle frames. The admin plays the oracles.
contract Watchers is Administered {
    /// A number that may be absent.
    struct MarkedUint248 {
        uint248 value;
        bool isValue;
    }

    struct ExitPenaltyInfo {
        MarkedUint248 delayFee;
        MarkedUint248 strikesPenalty;
        MarkedUint248 withdrawalRequestFee;
    }

    uint256 public constant MODULE_ID = 3;

    CSModule public immutable MODULE;
    /// Of the tree of strikes.
    bytes32 public treeRoot;
    string public treeCid;
    uint256 private _frameRefSlot;
    uint256 private _frameDeadlineSlot;
    mapping(bytes32 operatorAndKey => ExitPenaltyInfo) private _penalties;

    event StrikesDataUpdated(bytes32 treeRoot, string treeCid);
    event StrikesPenaltyProcessed(uint256 indexed nodeOperatorId, bytes pubkey, uint256 strikesPenalty);
    event BadPerformerEjectionRequested(uint256 indexed nodeOperatorId, bytes pubkey);
    event VoluntaryEjectionRequested(uint256 indexed nodeOperatorId, bytes pubkey, address refundRecipient);
    event ValidatorExitDelayProcessed(uint256 indexed nodeOperatorId, bytes pubkey, uint256 delayFee);
    event TriggeredExitFeeRecorded(uint256 indexed nodeOperatorId, uint256 indexed exitType, bytes pubkey, uint256 withdrawalRequestFee);
    event ValidatorExitRequest(
        uint256 indexed stakingModuleId,
        uint256 indexed nodeOperatorId,
        uint256 indexed validatorIndex,
        bytes validatorPubkey,
        uint256 timestamp
    );

    error InvalidProof();
    error NotEnoughStrikesToEject();
    error SenderIsNotEligible();

    constructor(address admin_, CSModule module) Administered(admin_) {
        MODULE = module;
    }

    function processOracleReport(bytes32 treeRoot_, string calldata treeCid_) external onlyAdmin {
        (treeRoot, treeCid) = (treeRoot_, treeCid_);
        emit StrikesDataUpdated(treeRoot_, treeCid_);
    }

    /// Anyone shows that a validator has as many strikes as lead to ejection.
    function processBadPerformanceProof(uint256 nodeOperatorId, uint256 keyIndex, uint256[] calldata strikes, bytes32[] calldata proof)
        external
    {
        bytes memory key = MODULE.getSigningKeys(nodeOperatorId, keyIndex, 1);
        if (!MerkleProof.verifyCalldata(proof, treeRoot, hashLeaf(nodeOperatorId, key, strikes))) revert InvalidProof();
        ParametersRegistry parameters = MODULE.parametersRegistry();
        uint256 curveId = MODULE.accounting().getBondCurveId(nodeOperatorId);
        (, uint256 threshold) = parameters.getStrikesParams(curveId);
        uint256 sum;
        for (uint256 i = 0; i < strikes.length; ++i) {
            sum += strikes[i];
        }
        if (sum < threshold) revert NotEnoughStrikesToEject();
        uint256 penalty = parameters.getBadPerformancePenalty(curveId);
        _info(nodeOperatorId, key).strikesPenalty = MarkedUint248(uint248(penalty), true);
        emit StrikesPenaltyProcessed(nodeOperatorId, key, penalty);
        emit BadPerformerEjectionRequested(nodeOperatorId, key);
    }

    /// The owner of an operator has validators ejected from the execution layer.
    function voluntaryEject(uint256 nodeOperatorId, uint256[] calldata keyIndices, address refundRecipient) external payable {
        if (MODULE.getNodeOperatorOwner(nodeOperatorId) != msg.sender) revert SenderIsNotEligible();
        for (uint256 i = 0; i < keyIndices.length; ++i) {
            bytes memory key = MODULE.getSigningKeys(nodeOperatorId, keyIndices[i], 1);
            emit VoluntaryEjectionRequested(nodeOperatorId, key, refundRecipient);
        }
    }

    /// Test function: the exit bus asks for an exit.
    function requestExit(uint256 nodeOperatorId, uint256 validatorIndex, bytes calldata pubkey) external onlyAdmin {
        emit ValidatorExitRequest(MODULE_ID, nodeOperatorId, validatorIndex, pubkey, block.timestamp);
    }

    /// Test function: an exit is late.
    function processExitDelay(uint256 nodeOperatorId, bytes calldata pubkey) external onlyAdmin {
        uint256 fee = MODULE.parametersRegistry().getExitDelayFee(MODULE.accounting().getBondCurveId(nodeOperatorId));
        _info(nodeOperatorId, pubkey).delayFee = MarkedUint248(uint248(fee), true);
        emit ValidatorExitDelayProcessed(nodeOperatorId, pubkey, fee);
    }

    /// Test function: an exit was triggered, at this cost.
    function processTriggeredExit(uint256 nodeOperatorId, uint256 exitType, bytes calldata pubkey, uint256 fee) external onlyAdmin {
        _info(nodeOperatorId, pubkey).withdrawalRequestFee = MarkedUint248(uint248(fee), true);
        emit TriggeredExitFeeRecorded(nodeOperatorId, exitType, pubkey, fee);
    }

    /// Test function: the present frame of the oracle.
    function setCurrentFrame(uint256 refSlot, uint256 reportProcessingDeadlineSlot) external onlyAdmin {
        (_frameRefSlot, _frameDeadlineSlot) = (refSlot, reportProcessingDeadlineSlot);
    }

    function getCurrentFrame() external view returns (uint256 refSlot, uint256 reportProcessingDeadlineSlot) {
        return (_frameRefSlot, _frameDeadlineSlot);
    }

    function getExitPenaltyInfo(uint256 nodeOperatorId, bytes calldata pubkey) external view returns (ExitPenaltyInfo memory) {
        return _info(nodeOperatorId, pubkey);
    }

    /// Of ExitPenalties: who knows the strikes. Here it is the same contract.
    function STRIKES() external view returns (address) {
        return address(this);
    }

    function hashLeaf(uint256 nodeOperatorId, bytes memory pubkey, uint256[] calldata strikes) public pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(nodeOperatorId, pubkey, strikes))));
    }

    function _info(uint256 nodeOperatorId, bytes memory pubkey) private view returns (ExitPenaltyInfo storage) {
        return _penalties[keccak256(abi.encode(nodeOperatorId, pubkey))];
    }
}
