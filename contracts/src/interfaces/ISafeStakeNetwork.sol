// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.30;

import {IRoles} from "./IRoles.sol";

/// Registration of validators against a fee per block, and what operators and the network earn from it.
///
/// Amounts are in wei where `_token()` is zero, otherwise in smallest units of that ERC-20 token. Price of a validator per block =
/// (operator fee + network fee) x size of its committee, fixed when it is paid. Operators and network earn it block by block; what is not used is the
/// owner's and comes back with `removeValidator`. In native currency the value sent has to be the amount exactly.
///
/// Earnings are booked once a period of 50,400 blocks (a week) is over, or when a validator leaves: what can be claimed is never more than what was earned.
///
/// Codes of reverts (`Error(string)`), beside those of `IRoles` and, passed on, of `ISafeStakeRegistry`:
/// - `A0` the owner is disabled
/// - `A1` the validator is registered already
/// - `A2` the token could not be taken from the caller, or arrived in part
/// - `B1` the caller is neither the owner nor, where that is allowed, the whitelisted contract
/// - `B2` the validator is not registered
/// - `B3` the refund could not be paid
/// - `C1` the amount pays for fewer blocks than the minimum
/// - `D0` the value sent is not the amount, the caller has too few tokens, or the network has earned less than is asked for
/// - `D1` an amount is zero, or a validator's public key is not 48 bytes
/// - `D2` network earnings could not be paid; or shares of wrong number or length
/// - `E1` the nonce of the claim is used
/// - `G1` the signature of the claim is not one of a SIGNER over this claim, chain and contract
/// - `G2` claim and penalty are more than the operator has earned
/// - `G3` the claim could not be paid
interface ISafeStakeNetwork is IRoles {
    /// Validators of one committee that are paid the same.
    /// @param operatorIds The committee, ascending.
    /// @param publicKeys Of the validators, 48 bytes each.
    /// @param sharesPublicKeys For every validator one public share per operator, in the order of `operatorIds`, 48 bytes each.
    /// @param sharesEncrypted The same, sealed shares of 93 bytes.
    /// @param eachAmount What every validator is paid.
    struct Group {
        uint32[] operatorIds;
        bytes[] publicKeys;
        bytes[][] sharesPublicKeys;
        bytes[][] sharesEncrypted;
        uint256 eachAmount;
    }

    /// An owner of operators was paid.
    /// @param nonce Of the claim.
    /// @param to Who was paid.
    /// @param claimed What was paid.
    /// @param penalty What the network keeps of their earnings.
    /// @param blockNumber Up to which block performance was judged.
    event AccountClaim(uint256 nonce, address to, uint256 claimed, uint256 penalty, uint256 blockNumber);

    /// Somebody paid for validators of an owner.
    event FundsDeposit(uint256 value, address indexed ownerAddress, address indexed senderAddress);

    /// An owner was paid what removed validators had not used.
    event FundsWithdrawal(uint256 value, address indexed ownerAddress);

    event NetworkFeeUpdate(uint256 oldFee, uint256 newFee);

    event NetworkFeesWithdrawal(uint256 value, address recipient);

    event OperatorRegistration(uint32 indexed id, string name, address indexed ownerAddress, bytes publicKey);

    /// What a validator's payment buys: from `startBlockNumber` on, up to but without `endBlockNumber`.
    /// @param operatorFee Per block and operator, without the network's.
    /// @param payAmount What was paid now.
    event OperatorTaskDetail(bytes publicKey, uint256 operatorFee, uint256 payAmount, uint256 startBlockNumber, uint256 endBlockNumber);

    /// @param paidBlockNumber The block that the payment ends before; `OperatorTaskDetail` tells of later payments.
    event ValidatorRegistration(
        address indexed ownerAddress,
        bytes publicKey,
        uint32[] operatorIds,
        bytes[] sharesPublicKeys,
        bytes[] encryptedKeys,
        uint256 paidBlockNumber
    );

    event ValidatorRemoval(address indexed ownerAddress, bytes publicKey);

    /// A validator got another committee. `ValidatorRemoval` precedes it and `ValidatorRegistration` follows, in the same transaction.
    /// Beside the listed events.
    event ValidatorReplacement(address indexed ownerAddress, bytes publicKey, uint32[] oldOperatorIds, uint32[] newOperatorIds);

    /// Settings, beside the listed events.
    event MinimumBlocksUpdate(uint64 oldBlocks, uint64 newBlocks);
    event TokenUpdate(address indexed oldToken, address indexed newToken);
    event WhitelistUpdate(address indexed oldAddress, address indexed newAddress);

    /// Arrays that belong together differ in length.
    error LengthMismatch(uint256 expected, uint256 actual);
    /// Nothing to do: the list is empty.
    error EmptyList();
    /// Native currency was sent where an ERC-20 token is the currency.
    error UnexpectedValue(uint256 value);
    /// More than ten years would be paid at once.
    error PaidTooLong(uint256 blocks);
    /// The currency can change only while the contract holds nothing of the old one.
    error FundsHeld(uint256 amount);
    /// The amounts do not add up to the total.
    error WrongTotal(uint256 expected, uint256 actual);
    /// A claim is for a block that is not past, or not after the last claim of the operator.
    error InvalidClaimBlock(uint256 claimBlockNumber);
    /// The caller does not own the operator whose earnings it claims.
    error NotOperatorOwner(uint32 operatorId);
    /// A fee per block is at most 10^18.
    error InvalidFee(uint256 fee);
    /// The token is not a contract.
    error InvalidToken(address token);
    /// An address that must not be zero is zero.
    error ZeroAddress();

    /// Sets up the contract behind its proxy and the registry with it. The caller gets ADMIN, NODE and SIGNER here and ADMIN of the registry.
    /// @param registryAddress_ A registry that is not set up.
    /// @param token_ Currency of fees, zero for the native one.
    /// @param minimumBlocksValidatorPay_ For how many blocks a payment has to be enough at least.
    /// @param _operatorFee Per block and operator. The network's fee starts at a tenth of it.
    function initialize(address registryAddress_, address token_, uint64 minimumBlocksValidatorPay_, uint64 _operatorFee) external;

    /// Registers an operator. The caller is its owner or the whitelisted contract.
    /// @param owner Whose operator it is.
    /// @param name Of 1 to 100 bytes.
    /// @param publicKey 33 bytes, compressed secp256k1.
    function registerOperator(address owner, string calldata name, bytes calldata publicKey) external returns (uint32 operatorId);

    /// Registers a validator. The caller is its owner or the whitelisted contract, and pays.
    /// @param owner Whose validator it is.
    /// @param publicKey 48 bytes.
    /// @param operatorIds The committee, ascending.
    /// @param sharesPublicKeys One per operator in this order, 48 bytes.
    /// @param sharesEncrypted One per operator in this order, 93 bytes.
    /// @param amount What is paid.
    function registerValidator(
        address owner,
        bytes calldata publicKey,
        uint32[] calldata operatorIds,
        bytes[] calldata sharesPublicKeys,
        bytes[] calldata sharesEncrypted,
        uint256 amount
    ) external payable;

    /// Registers validators of one committee, each with shares of its own. `eachAmount` is paid for each.
    function batchRegisterValidator(
        address owner,
        bytes[] calldata publicKeys,
        uint32[] calldata operatorIds,
        bytes[][] calldata sharesPublicKeys,
        bytes[][] calldata sharesEncrypteds,
        uint32 validatorCount,
        uint256 eachAmount
    ) external payable;

    /// Registers validators of several committees in one transaction, every group with its own committee and amount.
    function registerValidatorGroups(address owner, Group[] calldata groups) external payable;

    /// Gives a validator another committee. Only its owner. What is left of its payment stays with it, at the fees of today; `amount`, which can be 0, comes on top.
    function replaceValidator(
        bytes calldata publicKey,
        uint32[] calldata operatorIds,
        bytes[] calldata sharesPublicKeys,
        bytes[] calldata sharesEncrypted,
        uint256 amount
    ) external payable;

    /// Removes validators of the caller and pays back what they have not used.
    function removeValidator(bytes[] calldata publicKeys) external;

    /// Tops validators up, at the fees of today for all of what is left then. The caller is their owner or the whitelisted contract.
    /// @param totalamount The sum of `eachamounts`.
    function deposit(bytes[] calldata publickeys, uint256[] calldata eachamounts, uint256 totalamount) external payable;

    /// Pays the caller what its operators earned, with a SIGNER's EIP-712 signature over
    /// `AccountClaim(address account,uint32[] operatorIds,uint256[] amounts,uint256[] penalties,uint256 claimBlockNumber,uint256 nonce)`.
    /// @param operatorIds All owned by the caller.
    /// @param amounts What is paid for each.
    /// @param penalties What the network keeps for each.
    /// @param claimBlockNumber Up to which block performance was judged; past, and after that of the operator's last claim.
    /// @param nonce Any number that was not used.
    /// @param signature 65 bytes.
    function accountClaimFee(
        uint32[] calldata operatorIds,
        uint256[] calldata amounts,
        uint256[] calldata penalties,
        uint256 claimBlockNumber,
        uint256 nonce,
        bytes calldata signature
    ) external;

    /// Books what operators earned up to the last end of a period. Anyone.
    function settle(uint32[] calldata operatorIds) external;

    /// Pays the caller from what the network earned. ADMIN only.
    function withdrawNetworkEarnings(uint256 amount) external;

    /// The contract that may register and top up for other owners; zero for none. ADMIN only.
    function setWhiteAddress(address _addr) external;

    /// ADMIN only.
    function updateMinimumBlocksValidatorPay(uint64 newMinimumBlocksValidatorPay) external;

    /// Fee of the network per block and operator, for what is paid from now on. ADMIN only.
    function updateNetworkFee(uint256 fee) external;

    /// Changes the currency, while nothing is held. ADMIN only.
    function updateTokenAddr(address token) external;

    /// @return Different operators that one owner's validators can be with: 50.
    function MANAGING_OPERATORS_PER_ACCOUNT_LIMIT() external view returns (uint16);

    function _SafeStakeRegistryContract() external view returns (address);

    /// Reverts with `C1` if `tokenAmount` pays a validator of this committee for fewer blocks than the minimum.
    function _checkDepositAmount(uint32[] calldata operatorIds, uint256 tokenAmount) external view;

    /// @return Whether a claim used this nonce.
    function _claimNonce(uint256 nonce) external view returns (bool);

    /// @return Whether the owner is disabled (the spelling is that of existing callers).
    function _disbaledOwner(address owner) external view returns (bool);

    /// @return Blocks that a payment has to be enough for at least.
    function _minimumBlocksValidatorPay() external view returns (uint64);

    /// The `index`-th validator of an operator; reverts past the end. For reading off chain.
    function _operatorInDatas(uint32 operatorId, uint256 index) external view returns (bytes memory publicKey, uint256 indexInData);

    /// @return The `index`-th different operator of an owner's validators; reverts past the end.
    function _operatorInUse(address owner, uint256 index) external view returns (uint32);

    /// Accounts of an operator.
    /// @return index How many validators it has.
    /// @return balance What it can claim.
    /// @return lastBlockNumber Block of its last claim.
    /// @return enable Whether it is active.
    function _operators(uint32 operatorId) external view returns (uint256 index, uint256 balance, uint256 lastBlockNumber, bool enable);

    /// @return Currency of fees, zero for the native one.
    function _token() external view returns (address);

    /// What is paid for a validator, zero for an unknown one.
    /// @return startBlockNumber Where the present payment starts.
    /// @return endBlockNumber The block that it ends before.
    /// @return lastOperatorFee Fee per block and operator, without the network's.
    /// @return balance What a removal in this block would pay back.
    /// @return enable Whether it is registered.
    function _validatorDatas(bytes calldata publicKey)
        external
        view
        returns (uint256 startBlockNumber, uint256 endBlockNumber, uint256 lastOperatorFee, uint256 balance, bool enable);

    /// @return earnings What an operator can claim.
    function getOperatorEarningsById(uint32 operatorId) external view returns (uint256 earnings);

    /// @return earnings What the active operators of an owner can claim together.
    function getOperatorEarningsByOwner(address owner) external view returns (uint256 earnings);

    function getValidatorCountInOperator(uint32 operatorId) external view returns (uint256);

    /// @return Fee per block and operator, with or without the network's.
    function operatorFee(bool withNetworkFee) external view returns (uint256);

    /// The network's own accounts.
    /// @return networkFee Per block and operator.
    /// @return networkEarnings Fees that it earned and booked so far, and native currency that was given to it.
    /// @return networkClaimed What was withdrawn.
    /// @return networkPenalty What it kept of operators' earnings.
    function self() external view returns (uint256 networkFee, uint256 networkEarnings, uint256 networkClaimed, uint256 networkPenalty);

    /// Parts of a 65-byte signature.
    function splitSignature(bytes memory sig) external pure returns (uint8 v, bytes32 r, bytes32 s);

    /// @return What the contract holds for owners, operators and the network, in the currency of fees.
    function fundsHeld() external view returns (uint256);

    /// @return The contract that may register and top up for other owners.
    function whitelist() external view returns (address);

    /// @return Number of the release.
    function version() external pure returns (uint32);

    /// Native currency that arrives by itself is the network's; refused where a token is the currency.
    receive() external payable;
}
