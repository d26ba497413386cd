// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// What an account earns from many streams, each of which pays a rate per block from its start until its end.
///
/// Streams are not kept one by one. An account knows the sum of the rates that run, and for every period of 50,400 blocks the streams that end in it. It is
/// booked up to the start of the present period (`settled`): streams that ended in past periods by their exact ends, the others by the blocks that
/// passed. A stream that starts later than `settled` is entered with a deduction for the blocks in between, a stream that is closed gets the blocks since
/// then. So `balance` is exact once a period is over, and never more than what was earned.
library Accrual {
    using SafeCast for uint256;

    /// Blocks after which earnings are booked: a week of 12-second slots. Booking costs one read for every period since the last time.
    uint64 internal constant PERIOD = 50_400;

    /// Streams that end within one period.
    /// @param rate Sum of their rates, units per block.
    /// @param weighted Sum of rate x end block.
    struct Endings {
        uint96 rate;
        uint160 weighted;
    }

    /// @param rate Sum of the rates of streams that are not booked to their end, units per block.
    /// @param settled Start of the period up to which `balance` is booked.
    /// @param balance Earned and not taken out, in units; below zero while deductions wait for their period to end.
    struct Account {
        uint128 rate;
        uint64 settled;
        int256 balance;
        mapping(uint256 period => Endings) endings;
    }

    /// Books everything up to the start of the present period.
    function settle(Account storage account) internal {
        uint256 from = account.settled;
        uint256 to = _boundary();
        if (from >= to) return;
        uint256 rate = account.rate;
        account.settled = uint64(to);
        // slither-disable-next-line incorrect-equality
        if (rate == 0) return;
        uint256 earned;
        uint256 end = to / PERIOD;
        for (uint256 period = from / PERIOD; period < end && rate != 0; ++period) {
            Endings memory ending = account.endings[period];
            // slither-disable-next-line incorrect-equality
            if (ending.rate == 0) continue;
            earned += ending.weighted - ending.rate * from;
            rate -= ending.rate;
            delete account.endings[period];
        }
        earned += rate * (to - from);
        account.rate = rate.toUint128();
        account.balance += earned.toInt256();
    }

    /// Starts streams in this block.
    /// @param rate Of all of them together.
    /// @param end Block that they end before.
    function open(Account storage account, uint256 rate, uint256 end) internal {
        if (rate == 0) return;
        settle(account);
        account.balance -= (rate * (block.number - account.settled)).toInt256();
        account.rate += rate.toUint128();
        Endings storage ending = account.endings[end / PERIOD];
        ending.rate += rate.toUint96();
        ending.weighted += (rate * end).toUint160();
    }

    /// Ends a stream in this block, or books it to its end where that is past.
    function close(Account storage account, uint256 rate, uint256 end) internal {
        if (rate == 0) return;
        settle(account);
        uint256 settled = account.settled;
        // In a past period: already booked, to its exact end.
        if (end < settled) return;
        uint256 until = block.number < end ? block.number : end;
        account.balance += (rate * (until - settled)).toInt256();
        account.rate -= rate.toUint128();
        Endings storage ending = account.endings[end / PERIOD];
        ending.rate -= rate.toUint96();
        ending.weighted -= (rate * end).toUint160();
    }

    /// Takes from the balance, which has to be enough.
    /// @return Whether it was.
    function take(Account storage account, uint256 amount) internal returns (bool) {
        settle(account);
        if (amount > available(account)) return false;
        account.balance -= amount.toInt256();
        return true;
    }

    /// Adds to the balance.
    function give(Account storage account, uint256 amount) internal {
        account.balance += amount.toInt256();
    }

    /// @return What the balance would be after `settle`, in units.
    function booked(Account storage account) internal view returns (int256) {
        uint256 from = account.settled;
        uint256 to = _boundary();
        uint256 rate = account.rate;
        if (from >= to || rate == 0) return account.balance;
        uint256 earned;
        uint256 end = to / PERIOD;
        for (uint256 period = from / PERIOD; period < end && rate != 0; ++period) {
            Endings memory ending = account.endings[period];
            earned += ending.weighted - ending.rate * from;
            rate -= ending.rate;
        }
        earned += rate * (to - from);
        return account.balance + earned.toInt256();
    }

    /// @return What can be taken, in units.
    function available(Account storage account) internal view returns (uint256) {
        int256 balance = booked(account);
        return balance > 0 ? uint256(balance) : 0;
    }

    function _boundary() private view returns (uint256) {
        return block.number - block.number % PERIOD;
    }
}
