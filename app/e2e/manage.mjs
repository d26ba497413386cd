// Registration, subscriptions, exit, monitoring and clusters, on a chain with the contracts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createPublicClient, createTestClient, getAddress, http } from 'viem';
import { hoodi } from 'viem/chains';
import { check, picture } from './pages.mjs';
import * as steps from './steps.mjs';
import { openPage } from './world.mjs';

const SLOW = { timeout: 30_000 };

/** Axe, width and pictures of a page in its forms and themes. */
export async function see(page, name) {
  for (const [form, width, height] of [
    ['desktop', 1280, 860],
    ['phone', 360, 780],
  ]) {
    await page.setViewportSize({ width, height });
    for (const theme of ['light', 'dark']) {
      await page.evaluate(async (to) => {
        document.documentElement.dataset.theme = to;
        // Colours fade into the other theme; what is measured is where they arrive.
        await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
      }, theme);
      await check(page, `${name}-${theme}-${form}`);
      await picture(page, `${name}-${theme}-${form}`, { fullPage: true });
    }
  }
  await page.evaluate(() => (document.documentElement.dataset.theme = 'light'));
  await page.setViewportSize({ width: 1280, height: 860 });
}

async function open({ browser, network, newWallet }) {
  const wallet = newWallet();
  const watched = await openPage(browser, wallet, network);
  await steps.connectAndLogIn(watched.page);
  return { wallet, ...watched };
}

/** The chain's node is the one that the service names; nobody else is asked. */
async function assertQuiet(watched, { rpc }, expected = []) {
  watched.seen.foreign = watched.seen.foreign.filter((url) => !url.startsWith(rpc));
  await steps.assertQuiet(watched, expected);
}

/** Makes validators and opens the page that registers them. They withdraw to Lido unless another address is named. */
async function makeAndRegister(page, count, withdrawsTo) {
  await steps.chooseCommittee(page);
  if (withdrawsTo !== undefined) {
    await page.getByRole('radio', { name: 'Another address' }).click();
    await page.getByLabel('Withdrawal address').fill(withdrawsTo);
  }
  await steps.generate(page, String(count));
  await page.getByRole('button', { name: 'Download deposit data' }).waitFor(SLOW);
  await page.getByRole('navigation').getByRole('link', { name: 'Register' }).click();
}

/** The service has read the registration: nothing verified is left to register. */
const gone = (page) => page.getByText('verified here').waitFor({ state: 'detached', ...SLOW });

const registerButton = (page) => page.getByRole('button', { name: /^Register \d+$/ });

async function register(world) {
  const { network } = world;
  const opened = await open(world);
  const { page, wallet, context } = opened;
  await makeAndRegister(page, 2);
  await page.getByText('verified here').first().waitFor(SLOW);
  await registerButton(page).waitFor(SLOW);
  await see(page, 'register');
  await page.getByRole('radio', { name: 'Other' }).click();
  await page.getByLabel('Days').fill('0');
  await page.getByText('Enter a whole number of days.').waitFor();
  await page.getByRole('radio', { name: '90 days' }).click();
  wallet.declines = ['eth_sendTransaction'];
  await registerButton(page).click();
  await page.getByText('You declined in your wallet. Nothing was sent.').waitFor();
  assert.equal(wallet.sent.length, 0);
  await registerButton(page).click();
  await page.getByRole('heading', { name: 'Registrations' }).waitFor();
  await page.locator('.sent').getByText('done').waitFor(SLOW);
  const client = createPublicClient({ chain: hoodi, transport: http(network.rpc) });
  const sent = await client.getTransaction({ hash: wallet.sent[0] });
  const shown = (await page.getByRole('heading', { name: 'Paid subscriptions' }).waitFor(SLOW), sent.value);
  assert.ok(shown > 0n && sent.gas <= 16_777_216n, 'paid, under the gas cap');
  await see(page, 'registered');
  await assertQuiet(opened, network, [/ERR_/]);
  await context.close();
}

async function reload(world) {
  const opened = await open(world);
  const { page, wallet, context } = opened;
  await makeAndRegister(page, 1);
  await registerButton(page).waitFor(SLOW);
  // The page goes away while the wallet asks; the person then confirms.
  let confirm;
  const asked = new Promise((resolve) => {
    wallet.beforeSending = () => {
      resolve();
      return new Promise((done) => (confirm = done));
    };
  });
  await registerButton(page).click();
  await asked;
  await page.reload();
  await page
    .locator('.sent')
    .getByText(/answer lost|maybe on its way/)
    .waitFor(SLOW);
  assert.equal(await registerButton(page).count(), 0, 'not offered again while nobody knows');
  wallet.beforeSending = undefined;
  confirm();
  await page.getByText('Nothing is left to register among what you chose.').waitFor(SLOW);
  assert.equal(wallet.sent.length, 1);
  await page.getByRole('button', { name: 'Put aside' }).click();
  await context.close();
}

async function reverted(world) {
  const opened = await open(world);
  const { page, wallet, context } = opened;
  await makeAndRegister(page, 1, wallet.account.address);
  await registerButton(page).waitFor(SLOW);
  // Another browser of the same owner is quicker: the very same registration is in a block before this one.
  wallet.beforeSending = async (transaction) => {
    wallet.beforeSending = undefined;
    const client = createPublicClient({ chain: hoodi, transport: http(world.network.rpc) });
    const test = createTestClient({ mode: 'anvil', chain: hoodi, transport: http(world.network.rpc) });
    await test.mine({ blocks: 1 });
    await client.waitForTransactionReceipt({ hash: await wallet.client.sendTransaction(transaction) });
  };
  await registerButton(page).click();
  await page.locator('.sent').getByText('failed', { exact: true }).waitFor(SLOW);
  await page.getByText('nothing but gas was paid').waitFor();
  await gone(page);
  await feeRecipient(page, wallet);
  await context.close();
}

/** Of a validator that does not withdraw to Lido: declined, then set. */
async function feeRecipient(page, wallet) {
  const recipient = getAddress(`0x${'5e'.repeat(20)}`);
  await steps.openValidator(page);
  const card = page.locator('.card', { has: page.getByRole('heading', { name: 'Fee recipient' }) });
  await card.getByText('your own address: nothing is set').waitFor(SLOW);
  await card.getByText('Change', { exact: true }).first().click();
  await card.getByLabel('New fee recipient').fill(recipient);
  const change = card.getByRole('button', { name: 'Change', exact: true });
  await steps.decline(page, wallet, () => change.click(), 'Nothing was changed');
  await change.click();
  await card.getByText(`${recipient} of this validator`).waitFor(SLOW);
}

async function manage(world) {
  const opened = await open(world);
  const { page, wallet, context } = opened;
  await makeAndRegister(page, 1);
  await registerButton(page).waitFor(SLOW);
  await registerButton(page).click();
  await gone(page);
  await page.goto('/validators?status=registered');
  await page.getByRole('table', { name: 'Validators' }).getByRole('link').last().click();
  await page.getByRole('heading', { name: 'Subscription' }).waitFor(SLOW);
  await see(page, 'validator-registered');
  const end = async () =>
    Number(
      /block (\d+)/.exec(
        await page.locator('.facts').filter({ hasText: 'Paid until' }).first().innerText(),
      )[1],
    );
  const before = await end();
  await page.getByText('Top up', { exact: true }).click();
  await page.getByRole('radio', { name: '30 days' }).click();
  const topUp = page.getByRole('button', { name: 'Top up 1' });
  await steps.decline(page, wallet, () => topUp.click(), 'Nothing was paid');
  assert.equal(await end(), before);
  await topUp.click();
  await page.locator('.sent').getByText('done').waitFor(SLOW);
  await page.waitForFunction((old) => !document.body.innerText.includes(`block ${old},`), before, SLOW);
  assert.equal((await end()) - before, 216_000, 'thirty days more, to the block');

  await page.getByRole('button', { name: 'Order the exit' }).click();
  wallet.declines = ['eth_sendTransaction'];
  await page.getByRole('dialog').getByRole('button', { name: 'Order the exit' }).click();
  await page.getByText('You declined in your wallet. Nothing was sent.').waitFor();
  await page.getByRole('button', { name: 'Order the exit' }).click();
  await see(page, 'exit-confirm');
  await page.getByRole('dialog').getByRole('button', { name: 'Order the exit' }).click();
  await steps.exitOrdered(page);
  await steps.orderHeardOfAll(page);
  await steps.noBuildersAsked(page);
  await see(page, 'exit-ordered');
  const here = page.url();
  await page.goto('/monitor');
  await steps.upkeepInSum(page);
  await page.goto(here);
  await page.getByText('Remove from the network').click();
  const remove = async () => {
    await page.getByRole('button', { name: 'Remove', exact: true }).click();
    await page.getByRole('dialog').getByText('Refund').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  };
  await steps.decline(page, wallet, remove, 'Nothing was removed');
  await remove();
  await page.getByText('it is not registered in the network').waitFor(SLOW);
  await context.close();
}

async function monitorAndCluster(world) {
  const opened = await open(world);
  const { page, wallet, context } = opened;
  await page.goto('/monitor');
  await page
    .getByText(/No node operator yet|Node operator \d+/)
    .first()
    .waitFor(SLOW);
  await see(page, 'monitor');
  await steps.chooseCommittee(page);
  const id = await steps.generate(page, '1');
  await page.getByRole('link', { name: 'Cluster page' }).waitFor(SLOW);
  await page.getByRole('link', { name: 'Cluster page' }).click();
  await page.getByRole('button', { name: 'Fetch from the service' }).click();
  await page.getByRole('button', { name: 'Sign as a member' }).waitFor(SLOW);
  wallet.declines = ['eth_signTypedData_v4'];
  await page.getByRole('button', { name: 'Sign as a member' }).click();
  await page.getByText('You declined in your wallet').waitFor();
  await page.getByRole('button', { name: 'Sign as a member' }).click();
  await page.getByText('has signed').waitFor(SLOW);
  await page.getByRole('button', { name: 'Download for the Transaction Builder' }).click();
  await page.getByText('Enter the address of your Safe.').waitFor();
  await page.getByLabel('Address of your Safe').fill(wallet.account.address);
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download for the Transaction Builder' }).click(),
  ]);
  await page.getByText('The file holds the keys of this ceremony').waitFor();
  await see(page, 'cluster');
  const batch = JSON.parse(readFileSync(await file.path(), 'utf8'));
  assert.equal(batch.transactions.length, 1);
  // The chain takes it: a contract would run the very same call.
  const client = createPublicClient({ chain: hoodi, transport: http(world.network.rpc) });
  const [{ to, value, data }] = batch.transactions;
  await client.call({ account: wallet.account, to, data, value: BigInt(value) });
  await assert.rejects(client.call({ account: wallet.account, to, data, value: BigInt(value) - 1n }));
  assert.match(id, /^0x/);
  await context.close();
}

/** The demo's own validators were asked for by a transaction: the page looks its event up, and the verifier compares. */
async function byEvent(world) {
  const { page, wallet, context } = await open(world);
  await page.getByRole('navigation').getByRole('link', { name: 'Ceremonies' }).click();
  await page.getByRole('main').getByRole('listitem').getByRole('link').first().click();
  await page.getByText(/^Sent by .* in transaction/).waitFor(SLOW);
  await page.getByRole('button', { name: 'Download deposit data' }).waitFor(SLOW);
  await page.getByRole('navigation').getByRole('link', { name: 'Register' }).click();
  await page.getByText('verified here').first().waitFor(SLOW);
  await registerButton(page).click();
  await gone(page);
  assert.equal(wallet.sent.length, 1);
  await context.close();
}

/** In this order, and before others of the same owner: each begins with nothing left to register. */
export const tests = [
  ['a request by a transaction is verified and registered', byEvent],
  ['register, declined once', register],
  ['register, reload while the wallet asks', reload],
  ['register, reverted', reverted],
  ['validator: top-up, exit, removal', manage],
  ['monitor and cluster', monitorAndCluster],
].map(([name, run]) => ({ name: `manage: ${name}`, chain: 'anvil', run }));

export { makeAndRegister, open, registerButton, SLOW };
