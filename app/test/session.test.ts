import { parseSiweMessage } from 'viem/siwe';
import { expect, test } from 'vitest';
import { loginMessage } from '../src/session/siwe';
import { describeError, isRejection } from '../src/wallet/errors';
import { BaseError, UserRejectedRequestError } from 'viem';

test('the login message names this site, this chain, the nonce, and ends in five minutes', () => {
  const now = new Date('2026-11-29T01:00:00.000Z');
  const address = '0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A';
  const challenge = { nonce: '0123456789abcdef0123456789abcdef', chain_id: 560_048 };
  const text = loginMessage(address, challenge, {
    host: '127.0.0.1:7777',
    origin: 'http://127.0.0.1:7777',
    now,
  });
  expect(text.startsWith('127.0.0.1:7777 wants you to sign in with your Ethereum account:\n')).toBe(true);
  expect(parseSiweMessage(text)).toMatchObject({
    address,
    chainId: 560_048,
    domain: '127.0.0.1:7777',
    uri: 'http://127.0.0.1:7777',
    nonce: challenge.nonce,
    version: '1',
    issuedAt: now,
    expirationTime: new Date('2026-11-29T01:05:00.000Z'),
  });
});

test('a person who declines is told so, however the wallet puts it', () => {
  const raw = Object.assign(new Error('User rejected'), { code: 4001 });
  for (const error of [
    raw,
    new UserRejectedRequestError(raw),
    new BaseError('Signing failed.', { cause: raw }),
  ]) {
    expect(isRejection(error)).toBe(true);
    expect(describeError(error)).toBe('You declined in your wallet. Nothing was sent.');
  }
  for (const error of [new Error('no'), undefined, null, 'text', { code: 4900 }, new BaseError('Other.')]) {
    expect(isRejection(error)).toBe(false);
  }
  expect(describeError(new BaseError('The chain is away.'))).toBe('The chain is away.');
  expect(describeError({ code: -32002 })).toMatch(/Open it/);
});
