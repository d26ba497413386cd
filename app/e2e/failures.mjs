// What goes wrong, and what the app says and does then.
import assert from 'node:assert/strict';
import { openPage } from './world.mjs';
import * as steps from './steps.mjs';

async function declined({ browser, network, newWallet }) {
  const wallet = newWallet();
  const watched = await openPage(browser, wallet, network);
  const { page, context } = watched;
  await page.goto('/');
  wallet.declines = ['eth_requestAccounts', 'wallet_requestPermissions'];
  await page.getByRole('banner').getByRole('button', { name: 'Connect wallet' }).click();
  await page.getByRole('button', { name: 'Test Wallet' }).click();
  await page.getByRole('dialog').getByText('You declined in your wallet').waitFor();
  wallet.declines = [];
  await page.getByRole('button', { name: 'Test Wallet' }).click();
  await page.getByRole('banner').getByText('0x').waitFor();

  wallet.declines = ['personal_sign'];
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('main').getByText('You declined in your wallet').waitFor();
  await steps.logIn(page);

  await steps.chooseCommittee(page);
  wallet.declines = ['eth_signTypedData_v4'];
  await page.getByRole('button', { name: 'Sign and start' }).click();
  await page.getByText('You declined in your wallet. Nothing was sent.').waitFor();
  await steps.generate(page, '1');
  await steps.waitForVerified(page);
  await steps.assertQuiet(watched);
  await context.close();
}

async function lostAnswer({ browser, network, newWallet }) {
  const wallet = newWallet();
  const watched = await openPage(browser, wallet, network);
  const { page, context } = watched;
  await steps.connectAndLogIn(page);
  await steps.chooseCommittee(page);
  // The request arrives, its answer does not: whoever presses again must not get a second ceremony.
  const arrived = [];
  await page.route('**/v1/requests', async (route) => {
    arrived.push((await (await route.fetch()).json()).ceremony_id);
    await route.abort('connectionreset');
  });
  await page.getByRole('button', { name: 'Sign and start' }).click();
  await page.getByText('The service cannot be reached').waitFor();
  await page.unroute('**/v1/requests');
  const ceremonyId = await steps.generate(page, '1');
  assert.deepEqual(arrived, [ceremonyId]);
  assert.equal(wallet.count('eth_signTypedData_v4'), 1, 'the signature that was given is used');
  await steps.assertQuiet(watched, [/ERR_CONNECTION_RESET/]);
  await context.close();
}

/** Opens a ready ceremony whose files a lying service changed. */
async function withLies({ browser, network, newWallet }, change) {
  const watched = await openPage(browser, newWallet(), network);
  const { page } = watched;
  await steps.connectAndLogIn(page);
  await steps.chooseCommittee(page);
  for (const file of ['deposit-data', 'certificate']) {
    await page.route(`**/v1/ceremonies/*/${file}`, async (route) => {
      const response = await route.fetch();
      const body = change(file, await response.json());
      await route.fulfill({ response, body: JSON.stringify(body) });
    });
  }
  await steps.generate(page, '2');
  await page.getByText('Do not deposit').waitFor({ timeout: 60_000 });
  assert.equal(await page.getByRole('button', { name: 'Download deposit data' }).count(), 0);
  return watched;
}

const flip = (hex) => (hex.startsWith('a') ? 'b' : 'a') + hex.slice(1);

async function tampered(world) {
  const lies = [
    [
      'withdrawal_credentials',
      (entry) => ({
        ...entry,
        withdrawal_credentials: `${entry.withdrawal_credentials.slice(0, 24)}${'11'.repeat(20)}`,
      }),
    ],
    ['deposit_data_root', (entry) => ({ ...entry, deposit_data_root: flip(entry.deposit_data_root) })],
    ['fork_version', (entry) => ({ ...entry, fork_version: '00000000' })],
  ];
  for (const [field, lie] of lies) {
    const watched = await withLies(world, (file, body) =>
      file === 'deposit-data' ? [body[0], lie(body[1])] : body,
    );
    await watched.page.getByText(`deposit_data[1].${field} differs`).waitFor();
    await steps.assertQuiet(watched);
    await watched.context.close();
  }
}

async function swapped(world) {
  const twice = await withLies(world, (file, body) => (file === 'deposit-data' ? [body[0], body[0]] : body));
  await twice.page.getByText('is there twice').waitFor();
  await twice.context.close();
  const signature = await withLies(world, (file, body) => {
    if (file === 'deposit-data') return body;
    body.attestations[0].signature = `0x${flip(body.attestations[0].signature.slice(2))}`;
    return body;
  });
  await signature.page.locator('.checked-bad', { hasText: 'Signatures of you and the operators' }).waitFor();
  await signature.context.close();
  const words = await withLies(world, (file, body) => (file === 'deposit-data' ? { not: 'a list' } : body));
  await words.page.getByText('deposit data: ').waitFor();
  await words.context.close();
}

async function wrongNetwork({ browser, network, newWallet }) {
  const wallet = newWallet(1);
  const watched = await openPage(browser, wallet, network);
  const { page, context } = watched;
  await page.goto('/');
  await steps.connect(page);
  assert.equal(wallet.chainId, 560048, 'the wallet is asked to switch while it connects');
  wallet.chainId = 1;
  await page.evaluate(() => window.__changeChain(1));
  await page.getByText('Your wallet is on another network').waitFor();
  wallet.declines = ['wallet_switchEthereumChain'];
  await page.getByRole('button', { name: 'Switch to Hoodi' }).click();
  await page.getByText('You declined in your wallet').waitFor();
  await page.getByRole('button', { name: 'Switch to Hoodi' }).click();
  await page.getByText('Your wallet is on another network').waitFor({ state: 'detached' });
  await steps.assertQuiet(watched);
  await context.close();
}

async function expiredSession({ browser, network, newWallet }) {
  const wallet = newWallet();
  const watched = await openPage(browser, wallet, network);
  const { page, context } = watched;
  await steps.connectAndLogIn(page);
  await steps.chooseCommittee(page);
  await page.getByLabel('Number of validators').fill('2');
  // The session ends elsewhere: the cookie is there and worth nothing.
  assert.equal((await context.request.post('/v1/auth/logout')).status(), 204);
  await context.addCookies([
    { name: 'cluster_session', value: '0'.repeat(64), domain: new URL(network.url).hostname, path: '/v1' },
  ]);
  await page.getByRole('navigation').getByRole('link', { name: 'Validators' }).click();
  await page.getByText('Your session has ended').waitFor();
  await page.getByRole('navigation').getByRole('link', { name: 'Generate' }).click();
  assert.equal(
    await page.getByLabel('Number of validators').inputValue(),
    '2',
    'nothing that was filled in is lost',
  );
  await steps.logIn(page);
  await page.getByText('Your session has ended').waitFor({ state: 'detached' });
  await steps.generate(page, '2');
  await steps.waitForVerified(page);
  assert.equal(wallet.count('personal_sign'), 2);
  await steps.assertQuiet(watched, [/401/]);
  await context.close();
}

async function otherWallet({ browser, network, newWallet }) {
  const first = newWallet();
  const watched = await openPage(browser, first, network);
  const { page, context } = watched;
  await steps.connectAndLogIn(page);
  await page.reload();
  await page.getByText(', logged in').waitFor({ state: 'attached' });
  assert.equal(first.count('personal_sign'), 1, 'a reload asks for nothing');
  await page.getByRole('banner').getByRole('button', { name: '0x' }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await page.getByText(', not logged in').waitFor({ state: 'attached' });
  await page.goto('/validators');
  await page.getByText('Log in to see this').waitFor();
  await steps.assertQuiet(watched);
  await context.close();
}

async function serviceAway({ browser, network }) {
  const watched = await openPage(browser, null, network);
  const { page, context } = watched;
  await page.route('**/v1/operators*', (route) => route.abort('connectionrefused'));
  await page.goto('/committee');
  await page.getByText('The operators cannot be shown').waitFor({ timeout: 30_000 });
  await page.unroute('**/v1/operators*');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('table').getByRole('checkbox').first().waitFor();
  await page.route('**/v1/app-config', (route) => route.abort('connectionrefused'));
  await page.reload();
  await page.getByText('The app cannot start').waitFor({ timeout: 30_000 });
  await page.unroute('**/v1/app-config');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { name: 'Choose a committee' }).waitFor();
  await steps.assertQuiet(watched, [/ERR_CONNECTION_REFUSED/]);
  await context.close();
}

export const tests = [
  { name: 'failure: the wallet declines every question once', run: declined },
  { name: 'failure: the answer to a request is lost', run: lostAnswer },
  { name: 'failure: the service changes deposit data', run: tampered },
  { name: 'failure: the service swaps keys, signatures and shapes', run: swapped },
  { name: 'failure: the wallet is on another network', run: wrongNetwork },
  { name: 'failure: the session ends in the middle', run: expiredSession },
  { name: 'failure: logged out, and a reload in between', run: otherWallet },
  { name: 'failure: the service is away', run: serviceAway },
];
