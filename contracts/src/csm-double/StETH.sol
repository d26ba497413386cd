// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

/// A double of stETH: balances are shares of a pool of ether that grows (`rebase`).
contract StETH is EIP712("Liquid staked Ether 2.0", "2"), Nonces {
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    string public constant name = "Liquid staked Ether 2.0";
    string public constant symbol = "stETH";
    uint8 public constant decimals = 18;

    uint256 public getTotalShares;
    uint256 public getTotalPooledEther;
    mapping(address account => uint256) public sharesOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event TransferShares(address indexed from, address indexed to, uint256 sharesValue);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    error ZeroDeposit();
    error InsufficientShares(uint256 has, uint256 needs);
    error InsufficientAllowance(uint256 has, uint256 needs);
    error InvalidPermit();

    /// Ether of its own, so that a share never costs nothing.
    constructor() payable {
        _mint(address(0xdead), msg.value, msg.value);
    }

    /// Stakes ether for the caller.
    /// @return shares That the caller got.
    function submit(address) external payable returns (uint256 shares) {
        if (msg.value == 0) revert ZeroDeposit();
        shares = getSharesByPooledEth(msg.value);
        _mint(msg.sender, shares, msg.value);
    }

    /// Test function: the pool earned what is sent.
    function rebase() external payable {
        getTotalPooledEther += msg.value;
    }

    /// Burns shares of the caller, to everybody else's benefit.
    function burnShares(uint256 shares) external {
        _spend(msg.sender, shares);
        getTotalShares -= shares;
        emit TransferShares(msg.sender, address(0), shares);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        _approve(msg.sender, spender, amount);
        return true;
    }

    /// EIP-2612.
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        if (block.timestamp > deadline) revert InvalidPermit();
        bytes32 content = keccak256(abi.encode(PERMIT_TYPEHASH, owner, spender, value, _useNonce(owner), deadline));
        if (ECDSA.recover(_hashTypedDataV4(content), v, r, s) != owner) revert InvalidPermit();
        _approve(owner, spender, value);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _transferShares(msg.sender, to, getSharesByPooledEth(amount));
        return true;
    }

    function transferShares(address to, uint256 shares) external returns (uint256) {
        _transferShares(msg.sender, to, shares);
        return getPooledEthByShares(shares);
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed < amount) revert InsufficientAllowance(allowed, amount);
        if (allowed != type(uint256).max) _approve(from, msg.sender, allowed - amount);
        _transferShares(from, to, getSharesByPooledEth(amount));
        return true;
    }

    function balanceOf(address account) external view returns (uint256) {
        return getPooledEthByShares(sharesOf[account]);
    }

    function totalSupply() external view returns (uint256) {
        return getTotalPooledEther;
    }

    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function getSharesByPooledEth(uint256 amount) public view returns (uint256) {
        return amount * getTotalShares / getTotalPooledEther;
    }

    function getPooledEthByShares(uint256 shares) public view returns (uint256) {
        return shares * getTotalPooledEther / getTotalShares;
    }

    function _mint(address to, uint256 shares, uint256 amount) private {
        getTotalShares += shares;
        getTotalPooledEther += amount;
        sharesOf[to] += shares;
        emit Transfer(address(0), to, amount);
        emit TransferShares(address(0), to, shares);
    }

    function _spend(address from, uint256 shares) private {
        if (sharesOf[from] < shares) revert InsufficientShares(sharesOf[from], shares);
        sharesOf[from] -= shares;
    }

    function _transferShares(address from, address to, uint256 shares) private {
        _spend(from, shares);
        sharesOf[to] += shares;
        emit Transfer(from, to, getPooledEthByShares(shares));
        emit TransferShares(from, to, shares);
    }

    function _approve(address owner, address spender, uint256 amount) private {
        allowance[owner][spender] = amount;
        emit Approval(owner, spender, amount);
    }
}
