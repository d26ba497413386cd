// Requests by transaction: what is sent, how it is found again, and when it may not be sent once more.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import {
  decodeFunctionData,
  encodeFunctionData,
  hexToBytes,
  parseEventLogs,
  toHex,
  TransactionNotFoundError,
  TransactionReceiptNotFoundError,
  type Address,
  type Hash,
  type Hex,
  type Log,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { describe, expect, test } from 'vitest';
import { aboutOf, parseAbout, requestCall, sameRequest, type Asked } from '../src/generate/paid/asked';
import { ceremonyInReceipt, ceremonyOfEvent } from '../src/generate/paid/ceremonyId';
import { lookAtRequest, type RequestClient } from '../src/generate/paid/outcome';
import { keyMessage, learnKey, parseKeys } from '../src/generate/paid/ownerKey';
import { CLUSTER_NODE_ABI } from '../src/network/abi';
import type { Sent } from '../src/network/journal';

type MinedLog = Log<bigint, number, false>;

interface Expected {
  chain_id: number;
  ceremony_id: Hash;
  event: { contract: Address; transaction_hash: Hash; log_index: number; topics: Hex[]; data: Hex };
}

/** A request by an event, as a chain had it and as operators made its keys. */
const FIXTURE = JSON.parse(readFileSync('fixtures/event/expected.json', 'utf8')) as Expected & {
  owner: Address;
  withdrawal_address: Address;
  validator_count: number;
  operators: Asked['operators'];
};
const { contract, transaction_hash: HASH } = FIXTURE.event;
const LOG = {
  address: contract,
  topics: FIXTURE.event.topics,
  data: FIXTURE.event.data,
} as unknown as MinedLog;
const EVENT = parseEventLogs({
  abi: CLUSTER_NODE_ABI,
  logs: [LOG],
  eventName: 'ValidatorDepositDataGeneration',
})[0]?.args;
if (!EVENT) throw new Error('the event of the fixture is not one of the contract');
const ASKED: Asked = {
  owner: FIXTURE.owner,
  clusterPubkey: EVENT.clusterNodePublicKey,
  validatorCount: FIXTURE.validator_count,
  withdrawalAddress: FIXTURE.withdrawal_address,
  operators: FIXTURE.operators,
};

describe('the ceremony of a transaction', () => {
  const stranger: MinedLog = { ...LOG, address: FIXTURE.owner };
  const other: MinedLog = { ...LOG, topics: [toHex(7, { size: 32 })] };
  const find = (logs: MinedLog[], asked = ASKED, status: 'success' | 'reverted' = 'success') =>
    ceremonyInReceipt({ status, logs, transactionHash: HASH }, FIXTURE.chain_id, contract, asked);

  test('has the id that operators derived', () => {
    expect(find([LOG])).toBe(FIXTURE.ceremony_id);
    expect(find([stranger, LOG]), 'logs of other contracts do not count').toBe(FIXTURE.ceremony_id);
  });

  test('counts the logs of the contract, and depends on everything', () => {
    const second = find([other, LOG]);
    expect(second).toBeDefined();
    const id = { chainId: FIXTURE.chain_id, contract, transactionHash: HASH, logIndex: 0 };
    const all = [
      ceremonyOfEvent(id),
      second,
      ceremonyOfEvent({ ...id, chainId: 1 }),
      ceremonyOfEvent({ ...id, contract: FIXTURE.owner }),
      ceremonyOfEvent({ ...id, transactionHash: toHex(1, { size: 32 }) }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  test('is none when something else was asked, or nothing', () => {
    expect(find([LOG], ASKED, 'reverted')).toBeUndefined();
    expect(find([stranger, other])).toBeUndefined();
    const changes: Partial<Asked>[] = [
      { owner: contract },
      { clusterPubkey: `0x02${'11'.repeat(32)}` },
      { validatorCount: ASKED.validatorCount + 1 },
      { withdrawalAddress: contract },
      { operators: ASKED.operators.slice(1) },
    ];
    for (const change of changes) {
      expect(sameRequest(EVENT, { ...ASKED, ...change }), Object.keys(change).join()).toBe(false);
      expect(find([LOG], { ...ASKED, ...change })).toBeUndefined();
    }
  });
});

test('the call says what is asked for, with the fee where it is in the chain’s own currency', () => {
  const call = requestCall(contract, ASKED, EVENT.ownerPubkey, 5n);
  const data = encodeFunctionData({ abi: call.abi, functionName: call.functionName, args: call.args });
  const { args } = decodeFunctionData({ abi: CLUSTER_NODE_ABI, data });
  expect(args).toEqual([
    EVENT.clusterNodePublicKey,
    EVENT.owner,
    EVENT.ownerPubkey,
    EVENT.validatorCount,
    EVENT.operatorIds,
    EVENT.depositAmount,
    EVENT.withdrawAddress,
  ]);
  expect(call.value).toBe(5n);
  expect('value' in requestCall(contract, ASKED, EVENT.ownerPubkey, undefined)).toBe(false);
});

test('what the journal keeps of a request is read again, and anything else is not', () => {
  expect(parseAbout(ASKED.owner, aboutOf(ASKED))).toEqual(ASKED);
  const about = aboutOf(ASKED);
  for (const [at, wrong] of [
    [0, 'key'],
    [1, '0'],
    [1, '1.5'],
    [2, '0x12'],
    [3, 'x 0x12'],
    [4, '1'],
  ] as const) {
    expect(parseAbout(ASKED.owner, about.with(at, wrong)), `${at}`).toBeUndefined();
  }
  fc.assert(fc.property(fc.array(fc.string()), (texts) => parseAbout(ASKED.owner, texts) === undefined));
});

describe('what became of a paid request', () => {
  interface Found {
    /** Hashes of transactions in blocks, with the request in them or without. */
    mined?: Record<Hash, MinedLog[] | 'reverted'>;
    known?: boolean;
    counts?: [mined: number, pending: number];
    /** What the contract's events are, whichever blocks are asked for. */
    events?: Hash[];
    head?: bigint;
  }
  const questions: [bigint, bigint][] = [];
  const client = ({ mined = {}, known = false, counts = [0, 0], events = [], head = 100n }: Found) =>
    ({
      getTransactionReceipt: ({ hash }: { hash: Hash }) => {
        const logs = mined[hash];
        if (logs === undefined) return Promise.reject(new TransactionReceiptNotFoundError({ hash }));
        const status = logs === 'reverted' ? 'reverted' : 'success';
        return Promise.resolve({
          status,
          logs: logs === 'reverted' ? [] : logs,
          transactionHash: hash,
          blockNumber: 9n,
        });
      },
      getTransaction: ({ hash }: { hash: Hash }) =>
        known ? Promise.resolve({ nonce: 3 }) : Promise.reject(new TransactionNotFoundError({ hash })),
      getTransactionCount: ({ blockTag }: { blockTag?: string }) =>
        Promise.resolve(counts[blockTag === 'pending' ? 1 : 0]),
      getBlockNumber: () => Promise.resolve(head),
      getContractEvents: ({ fromBlock, toBlock }: { fromBlock: bigint; toBlock: bigint }) => {
        questions.push([fromBlock, toBlock]);
        return Promise.resolve(
          toBlock === head ? events.map((hash) => ({ args: EVENT, transactionHash: hash })) : [],
        );
      },
    }) as unknown as RequestClient;
  const sent: Sent = { id: '1', kind: 'request', about: aboutOf(ASKED), asked_ms: 0, block: 50 };
  const gone = toHex(9, { size: 32 });
  const look = (found: Found, more: Partial<Sent> = {}) => {
    questions.length = 0;
    return lookAtRequest(client(found), FIXTURE.chain_id, contract, ASKED.owner, { ...sent, ...more });
  };
  const asked = { kind: 'asked', ceremonyId: FIXTURE.ceremony_id, transactionHash: HASH, asked: ASKED };
  const there = { mined: { [HASH]: [LOG] }, events: [HASH] };

  test.each<[string, Found, Partial<Sent>, object]>([
    ['in a block', { mined: { [HASH]: [LOG] } }, { hash: HASH }, asked],
    ['its answer was lost, and it is in a block', there, {}, asked],
    ['sped up: the same under another hash', { ...there, counts: [4, 4] }, { hash: gone, nonce: 3 }, asked],
    ['sped up, and the number is not known', there, { hash: gone }, asked],
    ['waits', { known: true }, { hash: HASH }, { kind: 'pending' }],
    ['reverted', { mined: { [HASH]: 'reverted' } }, { hash: HASH }, { kind: 'reverted' }],
    ['cancelled', { counts: [4, 4] }, { hash: gone, nonce: 3 }, { kind: 'replaced' }],
    ['dropped', {}, { hash: gone, nonce: 3 }, { kind: 'unknown' }],
    ['never sent', {}, {}, { kind: 'lost' }],
    ['something waits', { counts: [3, 4] }, {}, { kind: 'maybe' }],
    ['asks for nothing', { mined: { [HASH]: [] } }, { hash: HASH }, { kind: 'other' }],
    ['the journal makes no sense', {}, { about: ['x'] }, { kind: 'other' }],
  ])('%s', async (_, found, more, expected) => {
    expect(await look(found, more)).toMatchObject(expected);
  });

  test('events are looked through from the block after the one of the question, in parts', async () => {
    expect(await look({ ...there, head: 5_000n })).toMatchObject(asked);
    expect(questions).toEqual([
      [51n, 2_050n],
      [2_051n, 4_050n],
      [4_051n, 5_000n],
    ]);
    await look({ known: true }, { hash: HASH });
    expect(questions, 'while it waits nothing is looked for').toEqual([]);
  });
});

describe('the public key of an account', () => {
  const account = privateKeyToAccount(toHex(77, { size: 32 }));

  test('is learned from what the account signed, and from nothing else', async () => {
    const message = keyMessage(account.address);
    const signature = await account.signMessage({ message });
    expect(await learnKey(account.address, message, signature)).toBe(true);
    expect(await learnKey(account.address, `${message} `, signature)).toBe(false);
    expect(await learnKey(contract, message, signature)).toBe(false);
    expect(await learnKey(account.address, message, '0x1234')).toBe(false);
  });

  test('that somebody else wrote down is not used', () => {
    const point: Hex = `0x${account.publicKey.slice(4)}`;
    expect(hexToBytes(point)).toHaveLength(64);
    const own = { [account.address.toLowerCase()]: point };
    expect(parseKeys(own)).toEqual(own);
    expect(parseKeys({ [contract.toLowerCase()]: point })).toEqual({});
    expect(parseKeys({ ...own, x: 5, y: '0x12' })).toEqual(own);
    fc.assert(fc.property(fc.jsonValue(), (value) => Object.keys(parseKeys(value)).length === 0));
  });
});
