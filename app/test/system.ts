// The network's contracts on a chain of anvil's, for tests that send to them.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  concat,
  createPublicClient,
  createWalletClient,
  encodeAbiParameters,
  encodeFunctionData,
  http,
  parseAbi,
  parseAbiParameters,
  parseEther,
  zeroAddress,
  type Address,
  type Hex,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { foundry } from 'viem/chains';
import { expect } from 'vitest';
import { TOKEN_ABI } from '../src/network/abi';
import { readTerms, type Terms } from '../src/network/read';
import { describeCall } from '../src/network/words';

/** Well-known accounts of anvil's. */
export const DEPLOYER = privateKeyToAccount(
  '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
);
export const OPERATORS = privateKeyToAccount(
  '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d',
);
export const OWNER = privateKeyToAccount(
  '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a',
);
const MORE = parseAbi([
  'function registerOperator(address owner, string name, bytes publicKey) returns (uint32)',
  'function initialize(address registryAddress_, address token_, uint64 minimumBlocksValidatorPay_, uint64 _operatorFee)',
  'function mint(address to, uint256 amount)',
]);

const REQUESTS = parseAbi([
  'function initialize(address token, address registryAddress)',
  'function setActionFees(uint8[] action, uint256[] fee)',
]);

let anvil: ChildProcess;
let url: string;
const systems: { name: string; network: Address; clusterNode: Address; terms: Terms }[] = [];
/** Per validator of a request. */
export const REQUEST_FEE = 1_000_003n;

export const chain = () => createPublicClient({ chain: foundry, transport: http(url), pollingInterval: 50 });
export const wallet = (account = OWNER) =>
  createWalletClient({ account, chain: foundry, transport: http(url) });

export async function mined(hash: Hex) {
  expect((await chain().waitForTransactionReceipt({ hash })).status).toBe('success');
}

/** Puts a contract on the chain, from what forge compiled (`make setup`). */
async function deploy(
  file: string,
  name: string,
  inputs: string,
  args: readonly unknown[],
): Promise<Address> {
  const text = readFileSync(`../contracts/out/${file}.sol/${name}.json`, 'utf8');
  const { bytecode } = JSON.parse(text) as { bytecode: { object: Hex } };
  const encoded = inputs === '' ? '0x' : encodeAbiParameters(parseAbiParameters(inputs), args as never);
  const hash = await wallet(DEPLOYER).sendTransaction({ data: concat([bytecode.object, encoded]) });
  const { contractAddress } = await chain().waitForTransactionReceipt({ hash });
  return contractAddress ?? expect.fail(`${name} cannot be deployed`);
}

const PROXY = 'address implementation, address owner, bytes data';

/** Registry, Network and ClusterNode behind their proxies, as the deployment script sets them up. */
async function deployNetwork(token: Address): Promise<{ network: Address; clusterNode: Address }> {
  const proxy = (implementation: Address, data: Hex) =>
    deploy('TransparentUpgradeableProxy', 'TransparentUpgradeableProxy', PROXY, [
      implementation,
      DEPLOYER.address,
      data,
    ]);
  const registry = await proxy(await deploy('SafeStakeRegistry', 'SafeStakeRegistry', 'uint32', [1]), '0x');
  const data = encodeFunctionData({
    abi: MORE,
    functionName: 'initialize',
    args: [registry, token, 1000n, 1_000_003n],
  });
  const network = await proxy(await deploy('SafeStakeNetwork', 'SafeStakeNetwork', '', []), data);
  const clusterNode = await proxy(
    await deploy('SafeStakeClusterNode', 'SafeStakeClusterNode', '', []),
    encodeFunctionData({ abi: REQUESTS, functionName: 'initialize', args: [token, registry] }),
  );
  const fees = { abi: REQUESTS, functionName: 'setActionFees', args: [[1], [REQUEST_FEE]] } as const;
  await mined(await wallet(DEPLOYER).writeContract({ address: clusterNode, ...fees }));
  return { network, clusterNode };
}

async function addSystem(name: string, token: Address) {
  const { network, clusterNode } = await deployNetwork(token);
  for (let id = 1; id <= 13; id += 1) {
    const publicKey: Hex = `0x02${id.toString(16).padStart(64, '0')}`;
    // An owner has at most ten operators.
    const account = id > 7 ? DEPLOYER : OPERATORS;
    const args = [account.address, `Operator ${id}`, publicKey] as const;
    await mined(
      await wallet(account).writeContract({
        address: network,
        abi: MORE,
        functionName: 'registerOperator',
        args,
      }),
    );
  }
  systems.push({ name, network, clusterNode, terms: await readTerms(chain(), network) });
}

/** Starts the chain, and puts the contracts on it twice: with fees in its own currency, and in a token. */
export async function startSystems() {
  anvil = spawn('../contracts/tool', ['anvil', '--port', '0', '--chain-id', '31337'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  url = await new Promise((resolve, reject) => {
    let text = '';
    anvil.on('exit', (code) => reject(new Error(`anvil ended with ${code}`)));
    anvil.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const address = /Listening on (\S+)/.exec(text)?.[1];
      if (address) resolve(`http://${address}`);
    });
  });
  await addSystem('native', zeroAddress);
  const token = await deploy('Tokens', 'PlainToken', '', []);
  await addSystem('token', token);
  const all = parseEther('1000000');
  await mined(
    await wallet().writeContract({
      address: token,
      abi: MORE,
      functionName: 'mint',
      args: [OWNER.address, all],
    }),
  );
  await mined(
    await wallet().writeContract({
      address: token,
      abi: TOKEN_ABI,
      functionName: 'approve',
      args: [systems[1]?.network ?? zeroAddress, all],
    }),
  );
}

/** Ends it. */
export function stopSystems() {
  anvil.removeAllListeners('exit');
  anvil.kill();
}

/** The contracts with fees in this currency. */
export const system = (name: string) =>
  systems.find((one) => one.name === name) ?? expect.fail('not deployed');

/** Why a call is refused, in the words of the page. */
export async function refusal(call: object): Promise<string> {
  try {
    await chain().simulateContract({ ...(call as never as { address: Address }), account: OWNER } as never);
  } catch (error) {
    return describeCall(error);
  }
  return 'taken';
}
