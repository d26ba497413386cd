import { parseAbi } from 'viem';

/** What the app calls of the network's contracts. A test holds every line against `contracts/abi`. */
export const NETWORK_ABI = parseAbi([
  'function operatorFee(bool withNetworkFee) view returns (uint256)',
  'function _minimumBlocksValidatorPay() view returns (uint64)',
  'function _token() view returns (address)',
  'function _validatorDatas(bytes publicKey) view returns (uint256 startBlockNumber, uint256 endBlockNumber, uint256 lastOperatorFee, uint256 balance, bool enable)',
  'function _disbaledOwner(address owner) view returns (bool)',
  'function batchRegisterValidator(address owner, bytes[] publicKeys, uint32[] operatorIds, bytes[][] sharesPublicKeys, bytes[][] sharesEncrypteds, uint32 validatorCount, uint256 eachAmount) payable',
  'function replaceValidator(bytes publicKey, uint32[] operatorIds, bytes[] sharesPublicKeys, bytes[] sharesEncrypted, uint256 amount) payable',
  'function removeValidator(bytes[] publicKeys)',
  'function deposit(bytes[] publickeys, uint256[] eachamounts, uint256 totalamount) payable',
  'error LengthMismatch(uint256 expected, uint256 actual)',
  'error EmptyList()',
  'error UnexpectedValue(uint256 value)',
  'error PaidTooLong(uint256 blocks)',
  'error WrongTotal(uint256 expected, uint256 actual)',
]);

export const CLUSTER_NODE_ABI = parseAbi([
  'function _token() view returns (address)',
  'function getActionFee(uint256 action) view returns (uint256)',
  'function getClusterNode(bytes clusterNodePublicKey) view returns (address owner, bool active)',
  'function registerClusterNode(bytes clusterNodePublicKey)',
  'function generateDepositData(bytes clusterNodePublicKey, address owner, bytes ownerPubkey, uint256 validatorCount, uint32[] operatorIds, uint256 depositAmount, address withdrawAddress) payable',
  'event ValidatorDepositDataGeneration(bytes clusterNodePublicKey, address owner, bytes ownerPubkey, uint256 validatorCount, uint32[] operatorIds, uint256 depositAmount, address withdrawAddress)',
  'function generateExitData(bytes clusterNodePublicKey, bytes[] validatorPubKeys, uint256 activeEpoch) payable',
  'error ClusterNodeNotActive(bytes publicKey)',
  'error ClusterNodeExists(bytes publicKey)',
  'error OwnerPublicKeyMismatch(address owner)',
  'error InvalidCommittee()',
  'error OperatorNotActive(uint32 operatorId)',
  'error InvalidValidatorCount(uint256 count)',
  'error NotValidatorOwner(bytes publicKey)',
  'error OwnerDisabled(address owner)',
  'error WrongFee(uint256 expected, uint256 sent)',
  'error FeeNotReceived(uint256 expected, uint256 received)',
]);

export const OPERATOR_CONFIG_ABI = parseAbi([
  'function getFeeRecipientAddress(address owner) view returns (address)',
  'function getValidatorFeeRecipientAddress(address owner, bytes publicKey) view returns (address)',
  'function setFeeRecipientAddress(address recipient)',
  'function setValidatorFeeRecipientAddress(bytes publicKey, address recipient)',
  'function clearValidatorFeeRecipientAddress(bytes publicKey)',
  'error ZeroFeeRecipient()',
]);

/** ERC-20, as far as fees need it. */
export const TOKEN_ABI = parseAbi([
  'function symbol() view returns (string)',
  'function decimals() view returns (uint8)',
  'function balanceOf(address account) view returns (uint256)',
  'function allowance(address owner, address spender) view returns (uint256)',
  'function approve(address spender, uint256 amount) returns (bool)',
]);
