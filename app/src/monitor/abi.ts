import { parseAbi } from 'viem';

/** What is read and called of Lido's Accounting. A test holds every line against `contracts/abi`. */
export const ACCOUNTING_ABI = parseAbi([
  'function feeDistributor() view returns (address)',
  'function parametersRegistry() view returns (address)',
  'function getClaimableRewardsAndBondShares(uint256 nodeOperatorId, uint256 cumulativeFeeShares, bytes32[] proof) view returns (uint256)',
  'function getClaimableBondShares(uint256 nodeOperatorId) view returns (uint256)',
  'function claimRewardsStETH(uint256 nodeOperatorId, uint256 stETHAmount, uint256 cumulativeFeeShares, bytes32[] proof) returns (uint256 shares)',
  'function claimRewardsWstETH(uint256 nodeOperatorId, uint256 wstETHAmount, uint256 cumulativeFeeShares, bytes32[] proof) returns (uint256 claimed)',
  'function claimRewardsUnstETH(uint256 nodeOperatorId, uint256 stETHAmount, uint256 cumulativeFeeShares, bytes32[] proof) returns (uint256 requestId)',
  'function stETH() view returns (address)',
  'function getCustomRewardsClaimer(uint256 nodeOperatorId) view returns (address)',
]);

export const FEE_DISTRIBUTOR_ABI = parseAbi([
  'function treeRoot() view returns (bytes32)',
  'function treeCid() view returns (string)',
  'function logCid() view returns (string)',
  'function distributedShares(uint256 nodeOperatorId) view returns (uint256)',
  'function getFeesToDistribute(uint256 nodeOperatorId, uint256 cumulativeFeeShares, bytes32[] proof) view returns (uint256)',
]);

export const PARAMETERS_ABI = parseAbi([
  'function getAllowedExitDelay(uint256 curveId) view returns (uint256)',
  'function getStrikesParams(uint256 curveId) view returns (uint256 lifetime, uint256 threshold)',
  'function getKeysLimit(uint256 curveId) view returns (uint256)',
  'function getPerformanceLeewayData(uint256 curveId) view returns ((uint256 minKeyNumber, uint256 value)[])',
  'function getBadPerformancePenalty(uint256 curveId) view returns (uint256)',
]);

/** ExitPenalties names the contract of strikes; in the double both are Watchers. */
export const STRIKES_ABI = parseAbi([
  'function STRIKES() view returns (address)',
  'function treeRoot() view returns (bytes32)',
  'function treeCid() view returns (string)',
]);

export const STETH_ABI = parseAbi([
  'function getPooledEthByShares(uint256 sharesAmount) view returns (uint256)',
]);
