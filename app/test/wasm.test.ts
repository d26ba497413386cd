import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { lookUpEvent } from '../src/verify/event';
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

describe('a request by an event', () => {
  const read = (name: string) => fixture(`event/${name}.json`);
  const expected = JSON.parse(read('expected')) as Expected;
  const held = expected.event;
  if (!held) throw new Error('the fixture has an event');
  const contracts = {
    registry: held.contract,
    network: held.contract,
    operator_config: held.contract,
    cluster_node: held.contract,
  };
  const log = { address: held.contract.toLowerCase(), topics: held.topics, data: held.data };
  const receipts = (receipt: object) =>
    ({ getTransactionReceipt: () => Promise.resolve(receipt) }) as unknown as Parameters<
      typeof lookUpEvent
    >[1];
  const run = (event: Expected['event']) =>
    verify({
      certificate: () => read('certificate'),
      deposits: () => read('deposit_data'),
      expected: { ...expected, event },
    });

  test('is what the chain has', async () => {
    const found = await lookUpEvent(
      read('certificate'),
      receipts({ status: 'success', logs: [{ ...log, address: `0x${'22'.repeat(20)}` }, log] }),
      contracts,
    );
    expect(found).toEqual({ ...held, topics: held.topics });
    expect(isVerified(run(found))).toBe(true);
  });

  test.each([
    ['a transaction that failed', { status: 'reverted', logs: [log] }, contracts],
    ['no such log', { status: 'success', logs: [] }, contracts],
    [
      'another contract than the network has',
      { status: 'success', logs: [log] },
      { ...contracts, cluster_node: `0x${'22'.repeat(20)}` },
    ],
    ['no contracts', { status: 'success', logs: [log] }, null],
  ])('is not believed: %s', async (_, receipt, where) => {
    const found = await lookUpEvent(read('certificate'), receipts(receipt), where);
    expect(found).toBeUndefined();
    expect(failures(run(found))).toEqual(['certificate']);
  });

  test('is none where the owner signed', async () => {
    const client = receipts({ status: 'success', logs: [log] });
    expect(await lookUpEvent(fixture('certificate.json'), client, contracts)).toBeUndefined();
  });
});
