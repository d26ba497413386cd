import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { runVerification } from '../src/verify/run';
import type { CheckName, Expected, VerifyMessage } from '../src/verify/types';
import { CHECK_ORDER } from '../src/verify/types';
import { isVerified, take, type VerificationState } from '../src/verify/useVerification';
import { ceremony_id, initSync, lido_withdrawal_vault, Verification } from '../src/verify/wasm/verify';
import { CONFIG } from './support';

const fixture = (name: string) => readFileSync(`fixtures/${name}`, 'utf8');
const START: VerificationState = {
  outcomes: new Map(),
  progress: undefined,
  failed: undefined,
  ended: false,
};

interface Changes {
  certificate?: (text: string) => string;
  deposits?: (text: string) => string;
  expected?: Partial<Expected>;
}

/** Runs the module as the worker does. */
function verify({ certificate = (text) => text, deposits = (text) => text, expected = {} }: Changes = {}) {
  const messages: VerifyMessage[] = [];
  const task = {
    certificate: certificate(fixture('certificate.json')),
    depositData: deposits(fixture('deposit_data.json')),
    expected: { ...(JSON.parse(fixture('expected.json')) as Expected), ...expected },
  };
  runVerification(
    (...texts) => new Verification(...texts),
    task,
    (message) => messages.push(message),
  );
  return messages.reduce(take, START);
}

function failures(state: VerificationState): CheckName[] {
  return [...state.outcomes.values()].filter((outcome) => !outcome.passed).map((outcome) => outcome.check);
}

beforeAll(() => {
  initSync({ module: readFileSync('src/verify/wasm/verify_bg.wasm') });
});

test('the module was compiled from the sources as they are', () => {
  const sources = execFileSync('bash', ['wasm/sources.sh'], { encoding: 'utf8' });
  expect(readFileSync('src/verify/wasm/sources.sha256', 'utf8'), 'stale: bash app/wasm/build.sh').toBe(
    sources,
  );
});

describe('the compiled verifier', () => {
  test('finds that a real ceremony holds, check by check', () => {
    const state = verify();
    expect(failures(state)).toEqual([]);
    expect([...state.outcomes.keys()].sort()).toEqual([...CHECK_ORDER].sort());
    expect(isVerified(state)).toBe(true);
    expect(state.outcomes.get('withdrawal_address')?.detail).toContain('Lido');
    expect(state.progress).toEqual({ done: 2, total: 2 });
  });

  test.each<[string, CheckName, Changes]>([
    [
      'a digit of a root',
      'deposit_data',
      { deposits: (text) => text.replace(/("deposit_data_root":\s*")./, '$1g') },
    ],
    ['another fork version', 'deposits', { deposits: (text) => text.replace('10000910', '00000000') }],
    ['another owner', 'request', { expected: { owner: `0x${'11'.repeat(20)}` } }],
    ['another address', 'withdrawal_address', { expected: { withdrawal_address: `0x${'11'.repeat(20)}` } }],
    ['mainnet', 'network', { expected: { chain_id: 1 } }],
    ['no operators', 'certificate', { expected: { operators: [] } }],
  ])('refuses %s', (_what, check, changes) => {
    const state = verify(changes);
    expect(failures(state)).toContain(check);
    expect(isVerified(state)).toBe(false);
  });

  test.each<[string, Changes]>([
    ['a certificate that is none', { certificate: () => '{}' }],
    ['an empty text', { deposits: () => '' }],
    ['no deposits', { deposits: () => '[]' }],
  ])('says in words why it cannot go on: %s', (_what, changes) => {
    const state = verify(changes);
    expect(isVerified(state)).toBe(false);
    expect(state.failed ?? state.outcomes.get('deposits')?.detail).toMatch(/\w+ /);
  });

  test('takes no seed of another length', () => {
    const texts = ['certificate.json', 'deposit_data.json', 'expected.json'].map(fixture) as [
      string,
      string,
      string,
    ];
    const verification = new Verification(...texts);
    expect(() => verification.certificate(new Uint8Array(31))).toThrow(/32 bytes/);
    verification.free();
  });

  test('knows the vault that the service names, and the ceremony of a request', () => {
    expect(lido_withdrawal_vault(560_048n)).toBe(CONFIG.lido_withdrawal_vault);
    expect(lido_withdrawal_vault(5n)).toBeUndefined();
    const certificate = JSON.parse(fixture('certificate.json')) as {
      ceremony_id: string;
      transcript: { request: { request: unknown } };
    };
    expect(ceremony_id(JSON.stringify(certificate.transcript.request.request))).toBe(certificate.ceremony_id);
  });
});
