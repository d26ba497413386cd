import fc from 'fast-check';
import { encodeFunctionData, parseAbi, zeroAddress } from 'viem';
import { beforeAll, describe, expect, test } from 'vitest';
import { readBond, readBonds, ROUNDING, type BondFor } from '../../src/csm/bond';
import { keysCall } from '../../src/csm/call';
import { readContracts, readEligibility } from '../../src/csm/contracts';
import { readKeys, readNodeOperator } from '../../src/csm/operators';
import { permitData, permitOf } from '../../src/csm/permit';
import { batchSizes, bondOnCurve, differences, ends, gasExpected, GAS_CAP } from '../../src/csm/plan';
import { madeBy } from '../../src/csm/queue/evidence';
import type { GateKind, Target, Token } from '../../src/csm/queue/types';
import { revertName } from '../../src/csm/words';
import { enter, list, newTarget, send } from './enter';
import { ADMIN, ETH, lido, world, type World } from './chain';

const STETH = parseAbi([
  'function submit(address) payable',
  'function rebase() payable',
  'function approve(address, uint256)',
]);
const WSTETH = parseAbi(['function wrap(uint256)', 'function approve(address, uint256)']);

let chain: World;
beforeAll(async () => {
  chain = await world();
});

const sum = (amounts: readonly bigint[]) => amounts.reduce((a, b) => a + b, 0n);

describe('where things are', () => {
  test('is read from the module, and everything has to fit', async () => {
    const { contracts, client } = chain;
    expect(contracts.release).toBe(3);
    expect(contracts.gates.map((gate) => [gate.kind, gate.curveId])).toEqual([
      ['permissionless', 0n],
      ['ics', 2n],
      ['idvtc', 3n],
    ]);
    await expect(readContracts(client, { ...lido(), csm_accounting: ADMIN })).rejects.toThrow('not 0xf39');
    await expect(readContracts(client, { ...lido(), locator: ADMIN })).rejects.toThrow('not 0xf39');
    await expect(readContracts(client, { ...lido(), csm_module: null })).rejects.toThrow('names no module');
    // A gate without code is not on this network.
    const fewer = await readContracts(client, { ...lido(), csm_ics_gate: `0x${'99'.repeat(20)}` });
    expect(fewer.gates).toHaveLength(2);
  });
});

describe('bonds are what the contract asks for', () => {
  test('of every curve, for every number of keys', async () => {
    const { client, contracts } = chain;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1_000 }), fc.nat(2), async (keys, at) => {
        const gate = contracts.gates[at];
        if (!gate) throw new Error('no gate');
        const asked = await readBond(client, contracts, { curveId: gate.curveId }, 'eth', keys);
        expect(bondOnCurve(gate.curve, keys)).toBe(asked);
      }),
      { numRuns: 40 },
    );
  });

  test('batches of a plan: each with its own bond is taken, with one wei less it is not, and together they pay the plan', async () => {
    const { client, contracts } = chain;
    const sizes = fc.record({
      first: fc.integer({ min: 1, max: 4 }),
      keys: fc.integer({ min: 1, max: 12 }),
      perBatch: fc.integer({ min: 1, max: 6 }),
      /** Ether that the pool earned in between: the bond is worth more, and less is needed. */
      earned: fc.constantFrom(0n, 1n, 7n),
      excess: fc.constantFrom(0n, ETH / 3n, 5n * ETH),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ first, keys, perBatch, earned, excess }) => {
        const wallet = await chain.newWallet();
        const account = wallet.account.address;
        const { id } = await enter(chain, wallet, first);
        const deposit = parseAbi(['function depositETH(uint256) payable']);
        if (excess > 0n)
          await send(chain, wallet, {
            to: contracts.accounting,
            data: encodeFunctionData({ abi: deposit, functionName: 'depositETH', args: [id] }),
            value: excess,
          });
        if (earned > 0n)
          await send(chain, wallet, {
            to: contracts.steth,
            data: encodeFunctionData({ abi: STETH, functionName: 'rebase' }),
            value: earned,
          });
        const of: BondFor = { nodeOperatorId: id };
        const plan = batchSizes(keys, perBatch);
        const cumulative = await readBonds(client, contracts, of, 'eth', ends(plan));
        const planned = differences(cumulative);
        const target: Target = { kind: 'existing', nodeOperatorId: id.toString() };
        const paid: bigint[] = [];
        for (const size of plan) {
          const bond = await readBond(client, contracts, of, 'eth', size);
          const brought = chain.newKeys(size);
          if (bond > 0n) {
            const less = keysCall(contracts, account, target, 'eth', brought, bond - 1n);
            expect(revertName(await send(chain, wallet, less).catch((error: unknown) => error))).toBe(
              'InvalidAmount',
            );
          }
          const receipt = await send(
            chain,
            wallet,
            keysCall(contracts, account, target, 'eth', brought, bond),
          );
          expect(receipt.status).toBe('success');
          expect(receipt.gasUsed).toBeLessThan(gasExpected(size));
          paid.push(bond);
        }
        // Rounding of shares: some wei for each transaction.
        const apart = sum(paid) - sum(planned);
        expect(apart < 0n ? -apart : apart).toBeLessThanOrEqual(2n * ROUNDING * BigInt(plan.length));
        const after = await readNodeOperator(client, contracts, id);
        expect(after.totalKeys).toBe(first + keys);
        expect(after.bond + ROUNDING >= after.required).toBe(true);
        const held = await readKeys(client, contracts, id, await client.getBlockNumber());
        expect(held.size).toBe(first + keys);
      }),
      { numRuns: 8 },
    );
  });

  test('a hundred keys stay below the gas of one transaction, by every way in', async () => {
    const wallet = await chain.newWallet();
    const { id, receipt } = await enter(chain, wallet, 100);
    expect(receipt.gasUsed).toBeLessThan(gasExpected(100));
    const target: Target = { kind: 'existing', nodeOperatorId: id.toString() };
    const bond = await readBond(chain.client, chain.contracts, { nodeOperatorId: id }, 'eth', 100);
    const more = await send(
      chain,
      wallet,
      keysCall(chain.contracts, wallet.account.address, target, 'eth', chain.newKeys(100), bond),
    );
    expect(more.gasUsed).toBeLessThan(GAS_CAP);
  });
});

describe('tokens', () => {
  async function withTokens(token: Token) {
    const wallet = await chain.newWallet();
    const { contracts } = chain;
    await send(chain, wallet, {
      to: contracts.steth,
      data: encodeFunctionData({ abi: STETH, functionName: 'submit', args: [zeroAddress] }),
      value: 100n * ETH,
    });
    if (token === 'wsteth') {
      const approve = encodeFunctionData({
        abi: STETH,
        functionName: 'approve',
        args: [contracts.wsteth, 90n * ETH],
      });
      await send(chain, wallet, { to: contracts.steth, data: approve, value: 0n });
      const wrap = encodeFunctionData({ abi: WSTETH, functionName: 'wrap', args: [80n * ETH] });
      await send(chain, wallet, { to: contracts.wsteth, data: wrap, value: 0n });
    }
    return wallet;
  }

  test.each<Token>(['steth', 'wsteth'])(
    '%s by a permit and by an allowance, for a new node operator and for the next keys',
    async (token) => {
      const { client, contracts } = chain;
      const wallet = await withTokens(token);
      const account = wallet.account.address;
      const at = token === 'steth' ? contracts.steth : contracts.wsteth;
      const bond = await readBond(client, contracts, { curveId: 0n }, token, 3);
      const data = await permitData(client, at, account, contracts.accounting, bond + ROUNDING);
      if (!data) throw new Error('no permit');
      const permit = permitOf(data, await wallet.signTypedData(data));
      const call = keysCall(
        contracts,
        account,
        newTarget('permissionless'),
        token,
        chain.newKeys(3),
        bond,
        permit,
      );
      const [id = -1n] = madeBy(contracts.module, await send(chain, wallet, call));
      const next = await readBond(client, contracts, { nodeOperatorId: id }, token, 2);
      const target: Target = { kind: 'existing', nodeOperatorId: id.toString() };
      const without = keysCall(contracts, account, target, token, chain.newKeys(2), next);
      await expect(send(chain, wallet, without)).rejects.toThrow();
      const approve = encodeFunctionData({
        abi: STETH,
        functionName: 'approve',
        args: [contracts.accounting, next + ROUNDING],
      });
      await send(chain, wallet, { to: at, data: approve, value: 0n });
      expect((await send(chain, wallet, without)).status).toBe('success');
      const after = await readNodeOperator(client, contracts, id);
      expect(after.totalKeys).toBe(5);
      expect(after.bond + ROUNDING >= after.required).toBe(true);
    },
  );
});

describe('gates with lists', () => {
  test.each<GateKind>(['ics', 'idvtc'])(
    '%s lets in who is on the list, once, with its own bond',
    async (kind) => {
      const { client, contracts } = chain;
      const wallet = await chain.newWallet();
      const account = wallet.account.address;
      const proof = await list(chain, kind, account);
      const gate = contracts.gates.find((one) => one.kind === kind);
      if (!gate) throw new Error('no gate');
      expect(await readEligibility(client, gate, account, proof)).toBe('eligible');
      expect(await readEligibility(client, gate, zeroAddress, proof)).toBe('not_listed');
      const bond = await readBond(client, contracts, { curveId: gate.curveId }, 'eth', 2);
      const manager = (await chain.newWallet()).account.address;
      const target = { ...newTarget(kind, proof), manager, extended: true, referrer: ADMIN };
      const [id = -1n] = madeBy(
        contracts.module,
        await send(chain, wallet, keysCall(contracts, account, target, 'eth', chain.newKeys(2), bond)),
      );
      const operator = await readNodeOperator(client, contracts, id);
      expect(operator).toMatchObject({
        manager,
        reward: account,
        extended: true,
        curveId: gate.curveId,
        totalKeys: 2,
      });
      expect(await readEligibility(client, gate, account, proof)).toBe('used');
      const again = keysCall(contracts, account, target, 'eth', chain.newKeys(1), bond);
      expect(revertName(await send(chain, wallet, again).catch((error: unknown) => error))).toBe(
        'AlreadyConsumed',
      );
    },
  );
});
