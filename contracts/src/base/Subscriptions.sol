// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {ISafeStakeRegistry} from "../interfaces/ISafeStakeRegistry.sol";
import {Accrual} from "../libraries/Accrual.sol";
import {Funds} from "./Funds.sol";

/// What payments buy. Every amount is split between the streams of a validator's operators, the stream of the network, and a remainder; nothing else
/// ever leaves the contract, so that `fundsHeld` is the sum of what owners, operators and the network are due.
abstract contract Subscriptions is Funds {
    using Accrual for Accrual.Account;

    /// Units per block.
    uint256 public constant FEE_LIMIT = 1e18;
    /// Blocks that can be paid at once: ten years of 12-second slots.
    uint256 public constant PAID_BLOCKS_LIMIT = 26_280_000;

    /// What a validator's payment buys, one slot. `start` 0: not registered.
    /// @param end Block that it ends before.
    /// @param operatorFee Units per block and operator.
    /// @param networkFee Units per block and operator.
    struct Stream {
        uint64 start;
        uint64 end;
        uint64 operatorFee;
        uint64 networkFee;
    }

    ISafeStakeRegistry internal _registry;
    uint64 public _minimumBlocksValidatorPay;
    uint64 internal _networkFee;
    Accrual.Account internal _network;
    mapping(uint32 operatorId => Accrual.Account) internal _accounts;
    mapping(bytes32 keyHash => Stream) internal _streams;
    /// What a payment is more than whole blocks: the owner's.
    mapping(bytes32 keyHash => uint256) private _remainders;
    uint256[16] private __subscriptionsGap;

    /// Starts a validator's payment anew in this block, with what is left of it and `amount`.
    function _restart(bytes calldata publicKey, uint32[] memory oldOperatorIds, uint32[] memory operatorIds, uint256 amount)
        internal
        returns (uint64)
    {
        uint256 left = _stop(publicKey, oldOperatorIds);
        (Stream memory stream, uint256 remainder) = _quote(operatorIds.length, left + amount);
        _start(publicKey, stream, remainder);
        _openStreams(operatorIds, stream, 1);
        emit OperatorTaskDetail(publicKey, stream.operatorFee, amount, stream.start, stream.end);
        return stream.end;
    }

    /// What `amount` buys a validator with a committee of `size` from this block on, and what is left over.
    // What the division leaves over is the remainder, which stays the owner's.
    // slither-disable-next-line divide-before-multiply
    function _quote(uint256 size, uint256 amount) internal view returns (Stream memory stream, uint256 remainder) {
        uint256 fee = _registry._operatorFee();
        uint256 price = (fee + _networkFee) * size;
        uint256 blocks = price == 0 ? 0 : amount / price;
        require(blocks >= _minimumBlocksValidatorPay, "C1");
        if (blocks > PAID_BLOCKS_LIMIT) revert PaidTooLong(blocks);
        stream =
            Stream({start: uint64(block.number), end: uint64(block.number + blocks), operatorFee: uint64(fee), networkFee: _networkFee});
        remainder = amount - blocks * price;
    }

    function _start(bytes calldata publicKey, Stream memory stream, uint256 remainder) internal {
        bytes32 hash = keccak256(publicKey);
        _streams[hash] = stream;
        if (remainder > 0) _remainders[hash] = remainder;
    }

    function _openStreams(uint32[] memory operatorIds, Stream memory stream, uint256 count) internal {
        for (uint256 i = 0; i < operatorIds.length; ++i) {
            _accounts[operatorIds[i]].open(stream.operatorFee * count, stream.end);
        }
        _network.open(stream.networkFee * operatorIds.length * count, stream.end);
    }

    /// Ends what a validator's payment buys, and says what is left of it.
    function _stop(bytes calldata publicKey, uint32[] memory operatorIds) internal returns (uint256 left) {
        bytes32 hash = keccak256(publicKey);
        Stream memory stream = _streams[hash];
        left = _left(hash, stream, operatorIds.length);
        for (uint256 i = 0; i < operatorIds.length; ++i) {
            _accounts[operatorIds[i]].close(stream.operatorFee, stream.end);
        }
        _network.close(stream.networkFee * operatorIds.length, stream.end);
        delete _streams[hash];
        delete _remainders[hash];
    }

    function _left(bytes32 hash, Stream memory stream, uint256 size) internal view returns (uint256) {
        uint256 blocks = stream.end > block.number ? stream.end - block.number : 0;
        return blocks * (uint256(stream.operatorFee) + stream.networkFee) * size + _remainders[hash];
    }

    function _setMinimumBlocks(uint64 blocks) internal {
        emit MinimumBlocksUpdate(_minimumBlocksValidatorPay, blocks);
        _minimumBlocksValidatorPay = blocks;
    }

    function _setNetworkFee(uint256 fee) internal {
        if (fee > FEE_LIMIT) revert InvalidFee(fee);
        emit NetworkFeeUpdate(_networkFee, fee);
        _networkFee = uint64(fee);
    }
}
