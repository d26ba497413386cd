// Money arithmetic against the contracts themselves, on anvil, in the chain's own currency and in a token.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import {
  concat,
  createPublicClient,
  createWalletClient,
  encodeAbiParameters,
  encodeFunctionData,
  getAddress,
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
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aboutOf, registerNodeCall, requestCall, type Asked } from '../src/generate/paid/asked';
import { ceremonyInReceipt } from '../src/generate/paid/ceremonyId';
import { lookAtRequest } from '../src/generate/paid/outcome';
import { NETWORK_ABI, TOKEN_ABI } from '../src/network/abi';
import { amountEach, blocksFor } from '../src/network/fee';
import { readSubscription, readTerms, type Terms } from '../src/network/read';
import { describeCall } from '../src/network/words';
import { registration } from '../src/register/registration';

/** Well-known accounts of anvil's. */
const DEPLOYER = privateKeyToAccount('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');
const OPERATORS = privateKeyToAccount('0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d');
const OWNER = privateKeyToAccount('0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a');
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
const REQUEST_FEE = 1_000_003n;

const chain = () => createPublicClient({ chain: foundry, transport: http(url), pollingInterval: 50 });
const wallet = (account = OWNER) => createWalletClient({ account, chain: foundry, transport: http(url) });

async function mined(hash: Hex) {
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

beforeAll(async () => {
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
}, 120_000);

afterAll(() => {
  anvil.removeAllListeners('exit');
  anvil.kill();
});

let key = 0;

/** Validators with keys that nobody used, of the first operators. */
function batchOf(size: number, count: number) {
  const operatorIds = Array.from({ length: size }, (_, at) => at + 1);
  const validators = Array.from({ length: count }, () => {
    key += 1;
    const pubkey: Hex = `0x${key.toString(16).padStart(96, '0')}`;
    return {
      pubkey,
      operatorIds,
      publicShares: operatorIds.map((id): Hex => `0x${(key * 100 + id).toString(16).padStart(96, '0')}`),
      sealedShares: operatorIds.map((id): Hex => `0x${(key * 100 + id).toString(16).padStart(186, '0')}`),
    };
  });
  return { operatorIds, validators };
}

const SIZES = fc.constantFrom(4, 7, 10, 13);
const COUNTS = fc.integer({ min: 1, max: 3 });

async function refusal(call: object): Promise<string> {
  try {
    await chain().simulateContract({ ...(call as never as { address: Address }), account: OWNER } as never);
  } catch (error) {
    return describeCall(error);
  }
  return 'taken';
}

describe.each(['native', 'token'])(
  'fees in the %s currency',
  (name) => {
    const system = () => systems.find((one) => one.name === name) ?? expect.fail('not deployed');

    test('the contract takes exactly what the app computes, and sells exactly these blocks', async () => {
      const { network, terms } = system();
      await fc.assert(
        fc.asyncProperty(
          SIZES,
          COUNTS,
          fc.bigInt({ min: 1000n, max: 10_000_000n }),
          async (size, count, blocks) => {
            const each = amountEach(terms.operatorFee, size, blocks);
            const batch = batchOf(size, count);
            const call = registration(
              network,
              OWNER.address,
              batch,
              each,
              terms.currency.token === undefined,
            );
            const hash = await wallet().writeContract(call as never);
            const { blockNumber, status } = await chain().waitForTransactionReceipt({ hash });
            expect(status).toBe('success');
            for (const { pubkey } of batch.validators) {
              const held = await readSubscription(chain(), network, pubkey);
              expect(held).toEqual({ pubkey, registered: true, end: blockNumber + blocks, refund: each });
            }
            const [first] = batch.validators;
            if (!first) return;
            // More time on top: what is left then, at the price of today.
            const more = amountEach(terms.operatorFee, size, 77n) + 3n;
            const top = await wallet().writeContract({
              address: network,
              abi: NETWORK_ABI,
              functionName: 'deposit',
              args: [[first.pubkey], [more], more],
              ...(terms.currency.token === undefined ? { value: more } : {}),
            });
            const topped = await chain().waitForTransactionReceipt({ hash: top });
            const left = each - amountEach(terms.operatorFee, size, topped.blockNumber - blockNumber);
            const end = topped.blockNumber + blocksFor(left + more, terms.operatorFee, size);
            expect((await readSubscription(chain(), network, first.pubkey)).end).toBe(end);
          },
        ),
        { numRuns: 30 },
      );
    });

    test('a block too few, and a key that is there already, are refused in words', async () => {
      const { network, terms } = system();
      const native = terms.currency.token === undefined;
      await fc.assert(
        fc.asyncProperty(SIZES, COUNTS, async (size, count) => {
          const price = amountEach(terms.operatorFee, size, terms.minimumBlocks);
          const call = (each: bigint) =>
            registration(network, OWNER.address, batchOf(size, count), each, native);
          expect(await refusal(call(price))).toBe('taken');
          expect(await refusal(call(price - 1n))).toContain('fewer blocks');
        }),
        { numRuns: 30 },
      );
      const batch = batchOf(4, 2);
      const price = amountEach(terms.operatorFee, 4, 2000n);
      const call = registration(network, OWNER.address, batch, price, native);
      if (native) {
        expect(await refusal({ ...call, value: (call.value ?? 0n) - 1n })).toContain('not the fee');
        expect(await refusal({ ...call, value: (call.value ?? 0n) + 1n })).toContain('not the fee');
      }
      await mined(await wallet().writeContract(call as never));
      expect(await refusal(call)).toContain('registered already');
      const stranger = { ...call, args: [getAddress(OPERATORS.address), ...call.args.slice(1)] };
      expect(await refusal(stranger)).toContain('Only the owner');
    });

    test('a request is taken at exactly the fee, once its cluster node is registered, and is found again', async () => {
      const { clusterNode, terms } = system();
      const { token } = terms.currency;
      const asked: Asked = {
        owner: OWNER.address,
        clusterPubkey: `0x02${'7'.repeat(64)}`,
        validatorCount: 3,
        withdrawalAddress: DEPLOYER.address,
        operators: [1, 2, 3, 4].map((id) => ({ operator_id: id, public_key: '0x02' })),
      };
      const fee = REQUEST_FEE * 3n;
      const call = (value: bigint, key = OWNER.publicKey) =>
        requestCall(clusterNode, asked, key, token === undefined ? value : undefined);
      if (token) {
        const args = [clusterNode, fee] as const;
        await mined(
          await wallet().writeContract({ address: token, abi: TOKEN_ABI, functionName: 'approve', args }),
        );
      }
      expect(await refusal(call(fee))).toContain('cluster node of this service is not active');
      const register = registerNodeCall(clusterNode, asked.clusterPubkey);
      await mined(await wallet(OPERATORS).writeContract(register as never));
      expect(await refusal(register)).toContain('registered this cluster node already');
      expect(await refusal(call(fee, OPERATORS.publicKey))).toContain('not that of your account');
      if (!token) {
        expect(await refusal(call(fee - 1n))).toContain('The fee has changed');
        expect(await refusal(call(fee + 1n))).toContain('The fee has changed');
      }
      const block = Number(await chain().getBlockNumber());
      const hash = await wallet().writeContract(call(fee) as never);
      const receipt = await chain().waitForTransactionReceipt({ hash });
      const ceremonyId = ceremonyInReceipt(receipt, foundry.id, clusterNode, asked);
      expect(ceremonyId).toMatch(/^0x[0-9a-f]{64}$/);
      // The wallet's answer was lost: the contract's events have it.
      const sent = { id: 'a', kind: 'request', about: aboutOf(asked), asked_ms: 0 } as const;
      const look = (from: number) =>
        lookAtRequest(chain(), foundry.id, clusterNode, OWNER.address, { ...sent, block: from });
      expect(await look(block)).toMatchObject({ kind: 'asked', ceremonyId, transactionHash: hash });
      expect(await look(Number(receipt.blockNumber)), 'an earlier one is not taken for it').toEqual({
        kind: 'lost',
      });
    });
  },
  120_000,
);
