import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { getAddress, hashTypedData } from 'viem';
import { describe, expect, test } from 'vitest';
import { parseDraft, type Draft } from '../src/generate/draft';
import { buildRequest, requestTypedData, type Request } from '../src/generate/request';
import { rememberedRequest, rememberRequest } from '../src/generate/remembered';
import { checkDraft } from '../src/generate/validation';
import { CONFIG, operator } from './support';

const OWNER = '0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A';
const draft = (changes: Partial<Draft>): Draft => ({
  count: '1',
  target: 'lido',
  address: '',
  way: 'paid',
  ...changes,
});

describe('the form', () => {
  test.each(['0', '', ' ', '-1', '1.5', '1e3', '1001', '99999999999999999999', '0x10', 'one'])(
    'refuses %j validators',
    (count) => {
      expect(checkDraft(draft({ count }), CONFIG)).toMatchObject({
        errors: { count: expect.any(String) as string },
      });
    },
  );

  test.each([
    ['1', 1],
    [' 25 ', 25],
    ['1000', 1000],
  ])('takes %j validators', (count, expected) => {
    expect(checkDraft(draft({ count }), CONFIG).order).toEqual({
      validatorCount: expected,
      withdrawalAddress: CONFIG.lido_withdrawal_vault,
    });
  });

  test('takes an address with its checksum or in one case, and refuses every mistyped one', () => {
    const other = (address: string) => checkDraft(draft({ target: 'other', address }), CONFIG);
    expect(other(OWNER).order?.withdrawalAddress).toBe(OWNER);
    expect(other(OWNER.toLowerCase()).order?.withdrawalAddress).toBe(OWNER);
    expect(other('').errors.address).toMatch(/^Enter/);
    expect(other(OWNER.slice(0, -1)).errors.address).toMatch(/40 digits/);
    expect(other(`0x${'0'.repeat(40)}`).errors.address).toMatch(/lost/);
    // One letter in the other case breaks the checksum.
    const letters = Array.from(OWNER).flatMap((char, at) => (at > 1 && /[a-z]/i.test(char) ? [at] : []));
    for (const at of letters) {
      const char = OWNER.charAt(at);
      const swapped = char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase();
      const typo = OWNER.slice(0, at) + swapped + OWNER.slice(at + 1);
      expect(other(typo).errors.address, typo).toMatch(/mistyped/);
    }
  });

  test('whatever is stored or typed, there is an order or an error, and never both', () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), fc.string(), (stored, count, address) => {
        for (const one of [parseDraft(stored), draft({ count, address, target: 'other' })]) {
          const { order, errors } = checkDraft(one, CONFIG);
          if ((order === undefined) === (Object.keys(errors).length === 0)) return false;
        }
        return true;
      }),
    );
  });
});

interface Vector {
  request: Request;
  digest: `0x${string}`;
}

describe('the request', () => {
  // Numbers above 2^53 survive as text, which BigInt reads.
  const text = readFileSync('../vectors/eip712-request.json', 'utf8').replace(/: ([0-9]{16,})/g, ': "$1"');
  const vectors = JSON.parse(text) as Vector[];

  test('is signed as the golden vectors say', () => {
    expect(vectors.length).toBeGreaterThan(2);
    for (const { request, digest } of vectors) expect(hashTypedData(requestTypedData(request))).toBe(digest);
  });

  test('carries what was chosen, a deadline in an hour and a nonce of its own', () => {
    const order = { validatorCount: 3, withdrawalAddress: getAddress(CONFIG.lido_withdrawal_vault) };
    const build = () => buildRequest(OWNER, CONFIG, [1, 2, 3, 4], order, 1_790_000_000_500);
    const request = build();
    expect(request).toMatchObject({
      chain_id: 560_048,
      owner: OWNER,
      operator_ids: [1, 2, 3, 4],
      validator_count: 3,
      amount_gwei: 32_000_000_000,
      deadline: 1_790_003_600,
    });
    const nonces = new Set(Array.from({ length: 100 }, () => build().nonce));
    expect(nonces.size).toBe(100);
    for (const nonce of nonces) expect(Number.isSafeInteger(nonce) && nonce >= 0).toBe(true);
  });

  test('is remembered for verification, without its signature', () => {
    const order = { validatorCount: 3, withdrawalAddress: getAddress(CONFIG.lido_withdrawal_vault) };
    const members = [1, 2, 3, 4].map((id) => operator(id));
    rememberRequest('0xid', buildRequest(OWNER, CONFIG, [1, 2, 3, 4], order, 0), members);
    expect(rememberedRequest('0xid')).toEqual({
      ceremony_id: '0xid',
      validator_count: 3,
      withdrawal_address: CONFIG.lido_withdrawal_vault,
      operators: members.map(({ operator_id, public_key }) => ({ operator_id, public_key })),
    });
    expect(rememberedRequest('0xother')).toBeUndefined();
  });
});
