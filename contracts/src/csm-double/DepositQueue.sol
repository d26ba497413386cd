// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {Administered} from "./Administered.sol";
import {ParametersRegistry} from "./ParametersRegistry.sol";
import {IAccounting} from "./interfaces/IAccounting.sol";
import {ICSModule} from "./interfaces/ICSModule.sol";

/// Queues of keys that wait for a deposit, one per priority, first in first out.
///
/// An item is one number: id of the operator (64 bits), count of keys (64 bits), index of the next item (128 bits). Like the real module this one
/// checks neither signatures nor duplicates of keys: clients have to.
abstract contract DepositQueue is Administered, ICSModule {
    struct Queue {
        uint128 head;
        uint128 tail;
        mapping(uint128 index => uint256) items;
    }

    uint256 internal constant LOWEST_PRIORITY = 5;

    ParametersRegistry public immutable parametersRegistry;
    IAccounting public accounting;
    uint256 internal _nonce;
    uint256 internal _operatorsCount;
    mapping(uint256 id => NodeOperator) internal _nodeOperators;
    /// Keys of an operator that ever went to its priority queue.
    mapping(uint256 id => uint256) private _prioritised;
    mapping(uint256 priority => Queue) private _queues;

    constructor(ParametersRegistry parametersRegistry_) {
        parametersRegistry = parametersRegistry_;
    }

    /// Puts keys that are depositable and not queued back into the queue.
    function updateDepositableValidatorsCount(uint256 nodeOperatorId) external {
        _checkExists(nodeOperatorId);
        _updateDepositable(nodeOperatorId);
    }

    function depositQueuePointers(uint256 queuePriority) external view returns (uint128 head, uint128 tail) {
        return (_queues[queuePriority].head, _queues[queuePriority].tail);
    }

    function depositQueueItem(uint256 queuePriority, uint128 index) external view returns (uint256) {
        return _queues[queuePriority].items[index];
    }

    function _checkExists(uint256 id) internal view {
        if (id >= _operatorsCount) revert NodeOperatorDoesNotExist();
    }

    function _updateDepositable(uint256 id) internal {
        NodeOperator storage operator = _nodeOperators[id];
        uint256 count = operator.totalVettedKeys - operator.totalDepositedKeys;
        uint256 unbonded = accounting.getUnbondedKeysCount(id);
        uint256 unvetted = operator.totalAddedKeys - operator.totalVettedKeys;
        uint256 missing = unbonded > unvetted ? unbonded - unvetted : 0;
        count = count > missing ? count - missing : 0;
        if (operator.targetLimitMode > 0) {
            uint256 active = operator.totalDepositedKeys - operator.totalWithdrawnKeys;
            uint256 room = operator.targetLimit > active ? operator.targetLimit - active : 0;
            if (room < count) count = room;
        }
        if (operator.depositableValidatorsCount != count) {
            operator.depositableValidatorsCount = uint32(count);
            emit DepositableSigningKeysCountChanged(id, count);
            emit NonceChanged(++_nonce);
        }
        if (operator.enqueuedCount < count) _enqueue(id, count - operator.enqueuedCount);
    }

    /// The first keys of an operator go to the queue of its type, as many as that takes; others to the last one.
    function _enqueue(uint256 id, uint256 count) private {
        (uint32 priority, uint32 maxDeposits) = parametersRegistry.getQueueConfig(accounting.getBondCurveId(id));
        _nodeOperators[id].enqueuedCount += uint32(count);
        if (priority < LOWEST_PRIORITY && _prioritised[id] < maxDeposits) {
            uint256 room = maxDeposits - _prioritised[id];
            uint256 early = count < room ? count : room;
            _prioritised[id] += early;
            _push(priority, id, early);
            count -= early;
        }
        if (count > 0) _push(LOWEST_PRIORITY, id, count);
    }

    function _push(uint256 priority, uint256 id, uint256 count) private {
        Queue storage queue = _queues[priority];
        queue.items[queue.tail] = id << 192 | count << 128 | (queue.tail + 1);
        ++queue.tail;
        emit BatchEnqueued(priority, id, count);
    }

    /// Takes up to `wanted` keys of one operator from the head of a queue.
    /// @return id Whose keys.
    /// @return count How many; 0 where what is queued cannot be deposited.
    function _pop(uint256 priority, uint256 wanted) internal returns (uint256 id, uint256 count, bool found) {
        Queue storage queue = _queues[priority];
        if (queue.head == queue.tail) return (0, 0, false);
        uint256 item = queue.items[queue.head];
        id = item >> 192;
        uint256 queued = uint64(item >> 128);
        NodeOperator storage operator = _nodeOperators[id];
        count = queued < operator.depositableValidatorsCount ? queued : operator.depositableValidatorsCount;
        if (count > wanted) count = wanted;
        // What is not depositable is skipped, and comes back with updateDepositableValidatorsCount.
        uint256 taken = count == wanted && count < queued && count < operator.depositableValidatorsCount ? count : queued;
        operator.enqueuedCount -= uint32(taken);
        if (taken == queued) {
            ++queue.head;
        } else {
            queue.items[queue.head] = id << 192 | (queued - taken) << 128 | uint128(item);
        }
        return (id, count, true);
    }
}
