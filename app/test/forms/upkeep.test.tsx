// @vitest-environment jsdom
// What the cards show of what operators say of relays and exits, with what the service answers.
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  RouterProvider,
} from '@tanstack/react-router';
import { configure, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { zeroAddress, type Address, type Hex } from 'viem';
import { beforeEach, describe, expect, test, vi } from 'vitest';

/** By path: status and body. The client takes its `fetch` when it is loaded, so this one is there first. */
const service = vi.hoisted(() => {
  const answers = new Map<string, { status: number; body: unknown }>();
  globalThis.fetch = (input) => {
    const { pathname } = new URL((input as Request).url);
    const { status, body } = answers.get(pathname) ?? { status: 404, body: { detail: 'not in this test' } };
    return Promise.resolve(Response.json(body, { status }));
  };
  return answers;
});

import type { OperatorUpkeep } from '../../src/api/upkeep';
import type { Validator } from '../../src/api/validators';
import { ExitCard } from '../../src/manage/ExitCard';
import { FeeRecipientCard } from '../../src/manage/FeeRecipientCard';
import { RelayPart } from '../../src/monitor/RelayPart';
import { OPERATOR_CONFIG_ABI } from '../../src/network/abi';
import type { Chain } from '../../src/network/NeedsChain';
import { operator } from '../support';
import { exits, factsOf, HERE, OFF, registration, said, THERE, totals } from '../upkeep';
import { OWNER, show } from './stage';

const PUBKEY: Hex = `0x${'ab'.repeat(48)}`;
const UPKEEP = `/v1/validators/${PUBKEY}/upkeep`;
const TOTALS = '/v1/upkeep/totals';
const at = (byte: string): Address => `0x${byte.repeat(20)}`;
// Parts that are loaded on demand take their time on a busy machine.
configure({ asyncUtilTimeout: 10_000 });

const answer = (path: string, body: unknown, status = 200) => service.set(path, { status, body });

beforeEach(() => {
  service.clear();
  localStorage.clear();
  window.scrollTo = () => undefined;
  answer('/v1/operators', { items: [1, 2, 3, 4].map((id) => operator(id, { name: `Name ${id}` })) });
});

describe('the monitor', () => {
  const page = () => {
    const rootRoute = createRootRoute();
    const monitor = createRoute({ getParentRoute: () => rootRoute, path: '/', component: RelayPart });
    const validator = createRoute({ getParentRoute: () => rootRoute, path: '/validators/$pubkey' });
    const routeTree = rootRoute.addChildren([monitor, validator]);
    const router = createRouter({ routeTree, history: createMemoryHistory({ initialEntries: ['/'] }) });
    return show(<RouterProvider router={router as never} />, { contracts: {} });
  };

  test('shows sums, and links to the validators that need a look', async () => {
    answer(
      TOTALS,
      totals({
        relay: { registered: 51, partly: 2, not: 2, waiting: 0, off: 0, unsaid: 0 },
        attention: [PUBKEY],
      }),
    );
    await page();
    const sums = await screen.findByRole('list', { name: 'Validators by registration with relays' });
    expect(
      within(sums)
        .getAllByRole('listitem')
        .map(({ textContent }) => textContent),
    ).toEqual([
      'registered51',
      'with some operators only2',
      'not registered2',
      'waiting0',
      'no operator asks builders0',
      'nothing said0',
    ]);
    const link = within(screen.getByRole('list', { name: 'Validators to look at' })).getByRole('link');
    expect(link.getAttribute('href')).toBe(`/validators/${PUBKEY}`);
    expect(screen.getByText('2 validators not registered with builders’ relays')).toBeTruthy();
    expect(screen.queryByText(/are listed/)).toBeNull();
  });

  test('has a word for an owner without validators, and for a service that fails', async () => {
    answer(TOTALS, { detail: 'The database is away.' }, 503);
    await page();
    expect((await screen.findByRole('alert')).textContent).toContain('The database is away.');
    answer(TOTALS, totals({ validators: 0 }));
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    await screen.findByText(/No validator of yours is registered in the network/);
    expect(screen.queryByRole('list')).toBeNull();
  });
});

const ADDRESSES = { network: at('11'), clusterNode: at('22'), operatorConfig: at('33') };
const CHAIN = { info: { asks_beacon: true }, addresses: ADDRESSES } as unknown as Chain;
const VALIDATOR = {
  pubkey: PUBKEY,
  owner: OWNER,
  cluster_pubkey: `0x02${'12'.repeat(32)}`,
  deposit_data: { withdrawal_credentials: `010000000000000000000000${'77'.repeat(20)}` },
} as unknown as Validator;
const rowsOf = async (name: string) =>
  within(await screen.findByRole('list', { name }))
    .getAllByRole('listitem')
    .map(({ textContent }) => textContent);

describe('the exit card', () => {
  const ordered = factsOf({ exit_requested: { holds: 'yes', evidence: { block_number: 5 } } });
  const card = <ExitCard chain={CHAIN} validator={VALIDATOR} facts={ordered} registered={false} />;

  test('names each operator and what it says, and how many are needed', async () => {
    answer(UPKEEP, { items: exits('published', 'signed', 'ordered', null) });
    await show(card, { contracts: {} });
    await screen.findByText('Name 4');
    expect((await rowsOf('Operators on the exit')).join('|')).toMatch(
      /^Name 1 #1a beacon node took the complete exit.*\|Name 2 #2has signed.*\|Name 3 #3has the order.*\|Name 4 #4has not said anything$/,
    );
    expect(screen.getByRole('status').textContent).toBe('3 of 4 operators have the order.');
    screen.getByText('2 of 4 operators have signed, 3 are needed; a beacon node took the complete exit');
    screen.getByText(/Operators speak of themselves alone/);
  });

  test('says so when operators’ words cannot be had', async () => {
    answer(UPKEEP, { detail: 'The database is away.' }, 503);
    await show(card, { contracts: {} });
    await screen.findByText('How far operators are cannot be shown: The database is away.');
    answer(UPKEEP, { items: exits('ordered', 'ordered', 'ordered', 'ordered') });
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    await screen.findByText('4 of 4 operators have the order.');
  });
});

describe('the fee recipient card', () => {
  const contracts = {
    [ADDRESSES.operatorConfig]: {
      abi: OPERATOR_CONFIG_ABI,
      answers: { getValidatorFeeRecipientAddress: HERE, getFeeRecipientAddress: zeroAddress },
    },
  };
  const card = <FeeRecipientCard chain={CHAIN} validator={VALIDATOR} />;

  test('says whom relays know, since when, and that it is another one', async () => {
    answer(UPKEEP, {
      items: [
        said(1, registration('registered', 12, HERE)),
        said(2, registration('registered', 7, THERE)),
        said(3, registration('incomplete', 11)),
        said(4, OFF),
      ],
    });
    await show(card, { contracts });
    const notice = await screen.findByRole('alert');
    expect(notice.textContent).toMatch(
      /^!Relays know another fee recipient1 of 4 operators has registered.*up to 10 epochs \(about an hour\)/,
    );
    await screen.findByText('Name 1');
    const rows = await rowsOf('Operators on the registration with relays');
    expect(rows[0]).toMatch(/registeredsince epoch 12 for .*0x4473dC…8d32f2, gas limit 60.000.000$/);
    expect(rows[1]).toMatch(/registered for another recipientsince epoch 7 for .*0x9b1080…104258/);
    expect(rows[2]).toMatch(/too few partial signaturessince epoch 11$/);
    expect(rows[3]).toMatch(/asks no builders$/);
  });

  test.each<[string, OperatorUpkeep[], RegExp]>([
    [
      'no operator asks builders',
      [1, 2, 3, 4].map((id) => said(id, OFF)),
      /built by the operators’ own beacon nodes/,
    ],
    ['nobody speaks', [1, 2, 3, 4].map((id) => said(id, null)), /No operator has said yet/],
  ])('has one quiet line where %s', async (_, items, line) => {
    answer(UPKEEP, { items });
    await show(card, { contracts });
    await screen.findByText(line);
    await screen.findByText('of this validator');
    expect(screen.queryByRole('alert')).toBeNull();
    expect(screen.queryByRole('list')).toBeNull();
  });
});
