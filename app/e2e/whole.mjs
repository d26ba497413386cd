// From a wallet that has never been here to an ordered exit, in one go: once with a reload in the middle of every step, once without
// a mouse.
import assert from 'node:assert/strict';
import { keysInModule, facts } from './chain.mjs';
import { keyboard } from './keyboard.mjs';
import * as steps from './steps.mjs';
import { openPage } from './world.mjs';

const SLOW = { timeout: 60_000 };
const VALIDATORS = 55;

/** The page is gone while the wallet asks; the person then confirms, and comes back. */
async function confirmLate(page, wallet, press) {
  const { asked, confirm } = wallet.hold();
  await press();
  await asked;
  await page.reload();
  confirm();
}

async function reloadsEverywhere({ browser, network, newOwner }) {
  const wallet = await newOwner();
  const watched = await openPage(browser, wallet, network);
  const { page, context } = watched;
  const policies = [];
  page.on('response', (response) => {
    if (response.request().isNavigationRequest())
      policies.push(response.headers()['content-security-policy']);
  });
  await enter(page, wallet);
  const ceremonyId = await generate(page, wallet);
  await submit(page, wallet, network, ceremonyId);
  const before = await atOperators(network);
  await register(page, wallet);
  await monitor(page);
  await leave(page, wallet);
  await everyOperatorHasTheOrder(network, before);
  const kept = await steps.assertQuiet(watched);
  assertNothingSecret(kept, wallet, await context.cookies());
  assert.ok(
    policies.length > 10 &&
      policies.every((policy) => policy && !/unsafe-inline|'unsafe-eval'|\*/.test(policy)),
    'every page came with its policy',
  );
  await context.close();
}

/** Connects and logs in. */
async function enter(page, wallet) {
  const connections = () => wallet.count('eth_requestAccounts') + wallet.count('wallet_requestPermissions');
  await page.goto('/');
  await page.getByRole('banner').getByRole('button', { name: 'Connect wallet' }).click();
  await page.getByRole('button', { name: 'Test Wallet' }).waitFor();
  await page.reload();
  await steps.connect(page);
  const connected = connections();
  await page.reload();
  await page.getByRole('banner').getByText('0x').waitFor();
  const login = wallet.ignore('personal_sign');
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).first().click();
  await login;
  await page.reload();
  await steps.logIn(page);
  await page.reload();
  await page.getByText(', logged in').waitFor({ state: 'attached' });
  assert.equal(connections(), connected, 'a reload asks for no connection');
  assert.equal(wallet.signatures.length, 1, 'one login is enough');
}

/** Committee, count, request, ceremony and its verification. */
async function generate(page, wallet) {
  await steps.link(page, 'Committee').click();
  const boxes = page.getByRole('table').getByRole('checkbox');
  await boxes.first().waitFor();
  for (const at of [0, 1]) await boxes.nth(at).check();
  await page.reload();
  await boxes.first().waitFor();
  assert.equal(await page.getByRole('table').getByRole('checkbox', { checked: true }).count(), 2);
  await steps.chooseCommittee(page);
  await page.getByLabel('Number of validators').fill(String(VALIDATORS));
  await page.reload();
  assert.equal(await page.getByLabel('Number of validators').inputValue(), String(VALIDATORS));
  if ((await steps.signedRequest(page).count()) > 0) await steps.signedRequest(page).click();
  const request = wallet.ignore(steps.REQUEST_METHOD);
  await steps.startButton(page).click();
  await request;
  await page.reload();
  const ceremonyId = await steps.generate(page, String(VALIDATORS));
  await page.reload();
  await steps.waitForVerified(page);
  await page.reload();
  await page.locator('.checked').first().waitFor();
  await page.reload();
  await steps.waitForVerified(page);
  await page.getByText('done', { exact: true }).nth(3).waitFor();
  await steps.link(page, 'Ceremonies').click();
  await page.locator('a.row-link').first().waitFor();
  assert.equal(await page.locator('a.row-link').count(), 1, 'one ceremony was asked for');
  return ceremonyId;
}

/** Two batches: the first makes the node operator. */
async function submit(page, wallet, network, ceremonyId) {
  const before = await keysInModule(network);
  const already = wallet.sent.length;
  await steps.chooseForCsm(page, ceremonyId);
  await page.reload();
  const row = await steps.chooseForCsm(page, ceremonyId);
  await row.getByText('verified here').waitFor(SLOW);
  await steps.newOperator(page).click();
  wallet.declines = ['eth_sendTransaction'];
  await steps.submitButton(page).click(SLOW);
  await page.getByText('You declined in your wallet. Nothing was sent.').waitFor(SLOW);
  await page.reload();
  await steps.sendButton(page, 1).waitFor(SLOW);
  assert.deepEqual(await keysInModule(network), before);

  // Sent, but the wallet's answer never arrives: whoever comes back finds the batch in CSM, and it is not sent twice.
  wallet.loses = 1;
  await steps.sendButton(page, 1).click(SLOW);
  await page.getByText('Confirm the transaction in your wallet…').waitFor(SLOW);
  await page.reload();
  await steps.queueSays(page, '1 of 2 done');
  assert.equal((await keysInModule(network)).length, before.length + 28);
  assert.equal(await steps.sendButton(page, 1).count(), 0);

  // The wallet still asks when the page comes back; the keys are not offered while nobody knows.
  await page.reload();
  await steps.sendButton(page, 2).waitFor(SLOW);
  await confirmLate(page, wallet, () => steps.sendButton(page, 2).click());
  await steps.everythingInCsm(page);
  assert.equal(wallet.sent.length, already + 2, 'two transactions');
  const after = await keysInModule(network);
  assert.equal(after.length, before.length + VALIDATORS);
  assert.equal(new Set(after).size, after.length, 'no key is there twice');
  await page.reload();
  await steps.everythingInCsm(page);
}

async function register(page, wallet) {
  await steps.link(page, 'Register').click();
  await steps.registerButton(page).waitFor(SLOW);
  await page.reload();
  await page.getByText('verified here').first().waitFor(SLOW);
  const already = wallet.sent.length;
  await confirmLate(page, wallet, () => steps.registerButton(page).click(SLOW));
  await page
    .getByText(/Every validator is registered|Nothing is left to register among/)
    .first()
    .waitFor(SLOW);
  await page.reload();
  await page.getByText('Every validator is registered').waitFor(SLOW);
  assert.equal(wallet.sent.length, already + 1, 'registered once');
  await page.getByRole('button', { name: 'Put aside' }).click();
}

async function monitor(page) {
  await steps.link(page, 'Monitor').click();
  await page.getByRole('heading', { name: /^Node operator \d+$/ }).waitFor(SLOW);
  await page.reload();
  const keys = page.getByRole('region', { name: 'Keys', exact: true }).locator('.figure').first();
  await keys.getByText(String(VALIDATORS), { exact: true }).waitFor(SLOW);
  const unregistered = page.getByText('in CSM are not registered in the network');
  assert.equal(await unregistered.count(), 0, 'operators perform for all of them');
}

/** One of them leaves. */
async function leave(page, wallet) {
  await steps.openValidator(page);
  const pubkey = page.url().split('/').at(-1);
  await steps.exitButton(page).waitFor(SLOW);
  await page.reload();
  await steps.exitButton(page).click(SLOW);
  await page.getByRole('dialog').waitFor();
  await page.reload();
  await steps.exitButton(page).waitFor(SLOW);
  await confirmLate(page, wallet, () => steps.orderExit(page));
  await steps.exitOrdered(page);
  await page.reload();
  await steps.exitOrdered(page);
  assert.equal(await steps.exitButton(page).count(), 0, 'an exit is ordered once');
  const { exit_requested, registered, submitted_to_csm, exited } = await facts(page, pubkey);
  assert.equal(exit_requested.holds, 'yes');
  assert.equal(exit_requested.evidence.tx_hash, wallet.sent.at(-1));
  assert.deepEqual([registered.holds, submitted_to_csm.holds], ['yes', 'yes']);
  assert.notEqual(exited.holds, 'yes', 'an order is no exit');
}

/** Validators that each operator performs for, and those that are ordered to leave. */
async function atOperators(network) {
  const words = await network.command('operators', /^operator \d+ is/);
  const each = [...words.matchAll(/is running \((\d+) validators, (\d+) ordered to exit\)/g)];
  return each.map(([, held, leaving]) => ({ held: Number(held), leaving: Number(leaving) }));
}

/** Each operator performs for all of them since `before`, and has one order more. */
async function everyOperatorHasTheOrder(network, before) {
  const until = Date.now() + SLOW.timeout;
  let now = [];
  while (Date.now() < until) {
    now = await atOperators(network);
    const seen = ({ held, leaving }, at) =>
      held === before[at].held + VALIDATORS && leaving === before[at].leaving + 1;
    if (now.length === 4 && now.every(seen)) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert.fail(`operators had ${JSON.stringify(before)}, now ${JSON.stringify(now)}`);
}

/** Not one of the signatures that the wallet gave, and no session. */
function assertNothingSecret(kept, wallet, cookies) {
  const session = cookies.find(({ name }) => name === 'cluster_session');
  assert.ok(session?.httpOnly && session.sameSite === 'Strict', 'no script can read the session');
  const secrets = [...wallet.signatures.map((one) => one.slice(2)), session.value];
  assert.ok(secrets.length >= 2);
  for (const secret of secrets) assert.ok(!kept.includes(secret), 'nothing secret is kept');
}

async function keyboardAlone({ browser, network, newOwner }) {
  const wallet = await newOwner();
  const watched = await openPage(browser, wallet, network);
  const { page, context } = watched;
  const { reach, press, choose, go } = keyboard(page);
  await page.goto('/');
  await page.getByRole('main').getByRole('button', { name: 'Connect wallet' }).waitFor();
  await press(page.getByRole('banner').getByRole('button', { name: 'Connect wallet' }));
  await page.getByRole('dialog').waitFor();
  await press(page.getByRole('button', { name: 'Test Wallet' }));
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await press(page.getByRole('main').getByRole('button', { name: 'Log in' }).first());
  await page.getByText(', logged in').waitFor({ state: 'attached' });

  await go('Committee');
  const boxes = page.getByRole('table').getByRole('checkbox');
  await boxes.first().waitFor();
  for (let at = 0; at < 4; at += 1) await choose(boxes.nth(at));
  await press(page.getByRole('link', { name: 'Go on with these 4' }));
  const count = page.getByLabel('Number of validators');
  await reach(count);
  await page.keyboard.press('Control+A');
  await page.keyboard.type('2');
  if ((await steps.signedRequest(page).count()) > 0) await choose(steps.signedRequest(page));
  await press(steps.startButton(page));
  await page.waitForURL(/\/ceremonies\/0x[0-9a-f]{64}$/);
  const ceremonyId = page.url().split('/').at(-1);
  await steps.waitForVerified(page);
  await reach(page.getByRole('button', { name: 'Download deposit data' }));

  await go('Submit to CSM');
  const row = steps.csmRow(page, ceremonyId);
  await row.waitFor(SLOW);
  await choose(row.getByRole('checkbox'));
  await row.getByText('verified here').waitFor(SLOW);
  await choose(steps.newOperator(page));
  await steps.submitButton(page).waitFor(SLOW);
  await press(steps.submitButton(page));
  await steps.everythingInCsm(page);

  await go('Register');
  await steps.registerButton(page).waitFor(SLOW);
  await page.getByText('verified here').first().waitFor(SLOW);
  await choose(page.getByRole('radio', { name: '90 days' }));
  await press(steps.registerButton(page));
  await page.getByText('Every validator is registered').waitFor(SLOW);

  await go('Monitor');
  await page.getByRole('heading', { name: /^Node operator \d+$/ }).waitFor(SLOW);
  await reach(page.getByRole('radio', { name: /^stETH/ }));

  await go('Validators');
  const table = page.getByRole('table', { name: 'Validators' });
  await table.getByRole('link').first().waitFor(SLOW);
  await press(table.getByRole('link').first());
  await steps.exitButton(page).waitFor(SLOW);
  await press(steps.exitButton(page));
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.ok(
    await steps.exitButton(page).evaluate((button) => button === document.activeElement),
    'whoever leaves a dialogue is where it was opened',
  );
  await page.keyboard.press('Enter');
  await press(page.getByRole('dialog').getByRole('button', { name: 'Order the exit' }));
  await steps.exitOrdered(page);
  await steps.assertQuiet(watched);
  await context.close();
}

export const tests = [
  {
    name: 'whole: 55 validators from connect to exit, a reload in the middle of every step',
    run: reloadsEverywhere,
  },
  { name: 'whole: from connect to exit with the keyboard alone', run: keyboardAlone },
].map((test) => ({ ...test, chain: 'anvil' }));
