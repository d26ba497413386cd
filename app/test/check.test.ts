import fc from 'fast-check';
import {
  concat,
  encodeAbiParameters,
  encodeFunctionData,
  toFunctionSelector,
  toHex,
  zeroAddress,
  zeroHash,
  type AbiParameter,
  type Hex,
} from 'viem';
import { describe, expect, test } from 'vitest';
import { decodeKeyCall, KEY_CALLS, type SubmittedKey } from '../src/check/csm';
import { readFiles } from '../src/check/files';
import { compare, mayConfirm, transactionData } from '../src/check/transaction';

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((raw) => toHex(raw));
const key = fc.record({ pubkey: bytes(48), signature: bytes(96) });
const keys = fc.uniqueArray(key, { minLength: 1, maxLength: 8, selector: (one) => one.pubkey });

const permit = { value: 0n, deadline: 0n, v: 0, r: zeroHash, s: zeroHash };
const management = {
  managerAddress: zeroAddress,
  rewardAddress: zeroAddress,
  extendedManagerPermissions: true,
};

function add(list: readonly SubmittedKey[], nodeOperatorId = 7n): Hex {
  const [publicKeys, signatures] = [
    concat(list.map((one) => one.pubkey)),
    concat(list.map((one) => one.signature)),
  ];
  const args = [zeroAddress, nodeOperatorId, BigInt(list.length), publicKeys, signatures] as const;
  return encodeFunctionData({ abi: KEY_CALLS, functionName: 'addValidatorKeysETH', args });
}

/** Every call, with the same keys. */
function everyCall(list: readonly SubmittedKey[]): { name: string; data: Hex }[] {
  const parts = [
    BigInt(list.length),
    concat(list.map((one) => one.pubkey)),
    concat(list.map((one) => one.signature)),
  ];
  return KEY_CALLS.map((item) => {
    const args = item.inputs.map(({ name }) => {
      if (name === 'keysCount') return parts[0];
      if (name === 'publicKeys') return parts[1];
      if (name === 'signatures') return parts[2];
      if (name === 'permit') return permit;
      if (name === 'management') return management;
      if (name === 'proof') return [zeroHash];
      return name === 'nodeOperatorId' ? 0n : zeroAddress;
    });
    return {
      name: item.name,
      data: concat([
        toFunctionSelector(item),
        encodeAbiParameters(item.inputs as readonly AbiParameter[], args),
      ]),
    };
  });
}

describe('reading keys out of a transaction', () => {
  test('every call gives back exactly the keys that went in', () => {
    fc.assert(
      fc.property(keys, (list) => {
        for (const { name, data } of everyCall(list)) {
          const call = decodeKeyCall(data);
          expect([call.name, call.keys]).toEqual([name, list]);
          expect(call.nodeOperatorId).toBe(name.startsWith('addValidatorKeys') ? 0n : undefined);
          expect(call.management).toEqual(name.startsWith('addNodeOperator') ? management : undefined);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('selectors are those of the contracts', () => {
    const selectors = everyCall([
      { pubkey: toHex(new Uint8Array(48)), signature: toHex(new Uint8Array(96)) },
    ]);
    expect(new Set(selectors.map(({ data }) => data.slice(0, 10))).size).toBe(9);
  });

  test('counts and lengths that do not fit are refused', () => {
    const one = { pubkey: toHex(new Uint8Array(48)), signature: toHex(new Uint8Array(96)) };
    const call = (count: bigint, publicKeys: Hex, signatures: Hex) =>
      encodeFunctionData({
        abi: KEY_CALLS,
        functionName: 'addValidatorKeysETH',
        args: [zeroAddress, 1n, count, publicKeys, signatures],
      });
    for (const data of [
      call(2n, one.pubkey, one.signature),
      call(0n, '0x', '0x'),
      call(1n, one.pubkey, '0x'),
      call(1n, `${one.pubkey}00`, one.signature),
    ]) {
      expect(() => decodeKeyCall(data)).toThrow(/The call names/);
    }
    expect(() => decodeKeyCall('0x12345678')).toThrow(/no call that brings keys/);
    expect(() => decodeKeyCall(add([one]).slice(0, -64) as Hex)).toThrow();
  });
});

describe('holding a transaction against a ceremony', () => {
  test('all keys, or some of them, may be confirmed', () => {
    fc.assert(
      fc.property(keys, fc.nat(), (made, cut) => {
        const some = made.slice(0, (cut % made.length) + 1);
        const result = compare(add(some).toUpperCase().replace('0X', '0x'), made);
        expect(mayConfirm(result)).toBe(true);
        expect([result.matching, result.left.length]).toEqual([some.length, made.length - some.length]);
      }),
      { numRuns: 30 },
    );
  });

  test('one key that is not the ceremony’s own, changed or repeated is named', () => {
    fc.assert(
      fc.property(keys, key, (made, other) => {
        fc.pre(made.every((one) => one.pubkey !== other.pubkey));
        const first = made[0] ?? other;
        fc.pre(first.signature !== other.signature);
        const strange = compare(add([...made, other]), made);
        expect([mayConfirm(strange), strange.foreign]).toEqual([false, [other.pubkey]]);
        const changed = compare(add([{ ...first, signature: other.signature }]), made);
        expect([mayConfirm(changed), changed.otherSignature]).toEqual([false, [first.pubkey]]);
        const twice = compare(
          JSON.stringify({ transactions: [{ data: add(made) }, { data: add([first]) }] }),
          made,
        );
        expect([mayConfirm(twice), twice.repeated]).toEqual([false, [first.pubkey]]);
      }),
      { numRuns: 30 },
    );
  });

  test('texts that are no transactions are refused in words', () => {
    for (const text of [
      'hello',
      '{}',
      '[]',
      '{"transactions":[]}',
      '{"transactions":[{"to":"0x"}]}',
      '{"transactions":[{"data":null}]}',
    ]) {
      expect(() => transactionData(text), text).toThrow(/Safe/);
    }
  });
});

test('files are told apart by what is in them', async () => {
  const file = (name: string, text: string) => new File([text], name);
  const chosen = await readFiles([file('a', '[1]'), file('b', '{"transcript":{}}')], {});
  expect(chosen).toEqual({ depositData: '[1]', certificate: '{"transcript":{}}' });
  expect(await readFiles([file('c', '[2]')], chosen)).toEqual({ ...chosen, depositData: '[2]' });
  await expect(readFiles([file('d.json', '{}')], {})).rejects.toThrow('d.json is neither');
  await expect(readFiles([file('e.json', 'x')], {})).rejects.toThrow('e.json is not JSON');
});
