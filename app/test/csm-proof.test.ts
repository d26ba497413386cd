import fc from 'fast-check';
import { concat, encodeAbiParameters, keccak256, type Address, type Hex } from 'viem';
import { describe, expect, test } from 'vitest';
import { readProof } from '../src/csm/proof';
import { treeOf, verify } from './merkle';

const address = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes): Address => `0x${Buffer.from(bytes).toString('hex')}`);

const leaf = (one: Address) => keccak256(keccak256(encodeAbiParameters([{ type: 'address' }], [one])));

describe('proofs', () => {
  test('of every address of a tree lead to its root, however they are written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(address, { minLength: 1, maxLength: 40 }), (all) => {
        const dump = treeOf(all);
        for (const one of all) {
          const proof = readProof(JSON.stringify(dump), one.toUpperCase().replace('0X', '0x'));
          expect(verify(leaf(one), proof)).toBe(dump.tree[0]);
          if (proof.length === 0) continue;
          expect(readProof(JSON.stringify(proof), one)).toEqual(proof);
          expect(readProof(JSON.stringify({ proof }), one)).toEqual(proof);
          expect(readProof(` ${proof.join(',\n')} `, one)).toEqual(proof);
        }
      }),
      { numRuns: 30 },
    );
  });

  const somebody: Address = `0x${'12'.repeat(20)}`;
  test.each([
    ['', 'Paste the proof'],
    ['0x12', 'hashes: 0x and 64 digits'],
    ['{}', 'neither a proof'],
    ['7', 'neither a proof'],
    [JSON.stringify(treeOf([`0x${'34'.repeat(20)}`])), 'not on this list'],
    [JSON.stringify({ tree: ['x'], values: [] }), 'another form'],
    [JSON.stringify({ tree: [], values: [{ value: [somebody], treeIndex: 3 }] }), 'does not have'],
    [JSON.stringify(Array(65).fill(`0x${'ab'.repeat(32)}`)), 'at most 64'],
  ])('%.40s is refused in words', (text, words) => {
    expect(() => readProof(text, somebody)).toThrow(words);
  });

  test('a tree whose siblings are missing is refused', () => {
    const broken = {
      tree: [`0x${'ab'.repeat(32)}`, `0x${'cd'.repeat(32)}`],
      values: [{ value: [somebody], treeIndex: 1 }],
    };
    expect(() => readProof(JSON.stringify(broken), somebody)).toThrow('not whole');
  });

  test('nothing that somebody pastes makes it fail but in words', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          const proof: Hex[] = readProof(text, somebody);
          expect(concat(proof).length).toBeLessThanOrEqual(2 + 64 * 64);
        } catch (error) {
          expect((error as Error).message).toMatch(/^[A-Z].*\.$/);
        }
      }),
    );
  });
});
