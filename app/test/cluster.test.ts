// Members' signatures, and the file for a Safe.
import fc from 'fast-check';
import { decodeFunctionData, getAddress, verifyTypedData, type Address, type Hex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { describe, expect, test } from 'vitest';
import { KEY_CALLS } from '../src/check/csm';
import { certificateDigest, membersFile, membership, merge, parseMembers } from '../src/cluster/members';
import { keyTransaction, safeBatch } from '../src/cluster/safe';

const CEREMONY: Hex = `0x${'12'.repeat(32)}`;
const address = (at: number): Address => getAddress(`0x${at.toString(16).padStart(40, '0')}`);

describe('members', () => {
  const digest = certificateDigest('{"transcript":{}}');

  test('one other byte is another certificate', () => {
    expect(certificateDigest('{"transcript":{} }')).not.toBe(digest);
  });

  test('what a member signs is bound to chain, ceremony, certificate and member', async () => {
    const member = privateKeyToAccount(generatePrivateKey());
    const document = membership(560_048, CEREMONY, digest, member.address);
    const signature = await member.signTypedData(document);
    const holds = (other: ReturnType<typeof membership>) =>
      verifyTypedData({ address: member.address, signature, ...other });
    expect(await holds(document)).toBe(true);
    expect(await holds(membership(1, CEREMONY, digest, member.address))).toBe(false);
    expect(await holds(membership(560_048, `0x${'13'.repeat(32)}`, digest, member.address))).toBe(false);
    expect(await holds(membership(560_048, CEREMONY, certificateDigest(''), member.address))).toBe(false);
  });

  test('a file is read as it was written, for its certificate alone', () => {
    const signatures = [{ address: address(1), signature: '0x12' as Hex }];
    const text = membersFile(CEREMONY, digest, signatures);
    expect(parseMembers(text, CEREMONY, digest)).toEqual(signatures);
    expect(() => parseMembers(text, `0x${'13'.repeat(32)}`, digest)).toThrow('another certificate');
    expect(() => parseMembers(text, CEREMONY, certificateDigest(''))).toThrow('another certificate');
  });

  const lie = (change: object) =>
    JSON.stringify({ ...(JSON.parse(membersFile(CEREMONY, digest, [])) as object), ...change });
  test.each([
    ['{', 'not JSON'],
    ['null', 'no list'],
    [lie({ kind: 'cluster-node/members/2' }), 'no list'],
    [lie({ signatures: [{ address: '0x12', signature: '0x' }] }), 'no list'],
    [lie({ signatures: [{ address: address(1), signature: 'x' }] }), 'no list'],
    [lie({ signatures: [{ address: address(1), signature: `0x${'1'.repeat(8_194)}` }] }), 'no list'],
    [lie({ signatures: Array(51).fill({ address: address(1), signature: '0x' }) }), 'no list'],
  ])('what is none is refused: %#', (text, why) => {
    expect(() => parseMembers(text, CEREMONY, digest)).toThrow(why);
  });

  test('every member is there once, with the newer signature, and fifty at most', () => {
    const list = fc.array(
      fc.record({ address: fc.nat(80).map(address), signature: fc.constantFrom<Hex>('0x1a', '0x2b') }),
    );
    fc.assert(
      fc.property(list, list, (held, more) => {
        const merged = merge(held, more);
        const names = merged.map((one) => one.address);
        expect(new Set(names).size).toBe(names.length);
        expect(names.length).toBeLessThanOrEqual(50);
        for (const one of merged) {
          const newest = [...held, ...more].filter((other) => other.address === one.address).at(-1);
          expect(one.signature).toBe(newest?.signature);
        }
      }),
    );
  });
});

describe('a Safe’s transactions', () => {
  const keys = fc.array(
    fc.record({
      pubkey: fc.constantFrom<Hex>(`0x${'ab'.repeat(48)}`, `0x${'cd'.repeat(48)}`),
      signature: fc.constantFrom<Hex>(`0x${'12'.repeat(96)}`, `0x${'34'.repeat(96)}`),
    }),
    { minLength: 1, maxLength: 20 },
  );
  const bonds = fc.bigInt({ min: 0n, max: 10n ** 24n });

  test('keys of a node operator that is there come from the Safe, with exactly the bond', () => {
    fc.assert(
      fc.property(keys, bonds, fc.bigInt({ min: 0n, max: 2n ** 64n }), (list, bond, nodeOperatorId) => {
        const sent = keyTransaction(
          { kind: 'existing', module: address(7), nodeOperatorId },
          address(9),
          list,
          bond,
        );
        expect([sent.to, sent.value]).toEqual([address(7), bond]);
        const { functionName, args } = decodeFunctionData({ abi: KEY_CALLS, data: sent.data });
        expect(functionName).toBe('addValidatorKeysETH');
        expect(args.slice(0, 3)).toEqual([address(9), nodeOperatorId, BigInt(list.length)]);
        expect(args[3]).toBe(`0x${list.map(({ pubkey }) => pubkey.slice(2)).join('')}`);
      }),
    );
  });

  test('a new node operator gets the roles that were named, and no referrer', () => {
    const target = {
      kind: 'new',
      gate: address(1),
      manager: address(2),
      reward: address(3),
      extended: true,
    } as const;
    const pair = { pubkey: `0x${'ab'.repeat(48)}`, signature: `0x${'12'.repeat(96)}` } as const;
    const sent = keyTransaction(target, address(9), [pair], 2_400_000_000_000_000_000n);
    const { functionName, args } = decodeFunctionData({ abi: KEY_CALLS, data: sent.data });
    expect([sent.to, functionName, args[0]]).toEqual([address(1), 'addNodeOperatorETH', 1n]);
    expect(args[3]).toEqual({
      managerAddress: address(2),
      rewardAddress: address(3),
      extendedManagerPermissions: true,
    });
    expect(args[4]).toBe(address(0));
  });

  test('amounts in the file are exact texts, because JSON has no integers of this size', () => {
    const transaction = { to: address(1), value: 131_100_000_000_000_000_001n, data: '0x12' as Hex };
    const file = JSON.parse(safeBatch(560_048, address(9), 'Keys', [transaction], 5)) as Record<
      string,
      never
    >;
    expect(file).toMatchObject({
      chainId: '560048',
      createdAt: 5,
      meta: { createdFromSafeAddress: address(9) },
      transactions: [{ to: address(1), value: '131100000000000000001', data: '0x12' }],
    });
  });
});
