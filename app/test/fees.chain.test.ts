// Money arithmetic against the contracts themselves, on anvil, in the chain's own currency and in a token.
import fc from 'fast-check';
import { getAddress, type Hex } from 'viem';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NETWORK_ABI } from '../src/network/abi';
import { amountEach, blocksFor } from '../src/network/fee';
import { readSubscription } from '../src/network/read';
import { registration } from '../src/register/registration';
import { chain, mined, OPERATORS, OWNER, refusal, startSystems, stopSystems, system, wallet } from './system';

beforeAll(startSystems, 120_000);
afterAll(stopSystems);

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

describe.each(['native', 'token'])(
  'fees in the %s currency',
  (name) => {
    test('the contract takes exactly what the app computes, and sells exactly these blocks', async () => {
      const { network, terms } = system(name);
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
      const { network, terms } = system(name);
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
  },
  120_000,
);
