// From verified deposit data to keys in Lido's module: on a chain of anvil's, with the double of CSM, four operators and the service.
import assert from 'node:assert/strict';
import { createPublicClient, createTestClient, http } from 'viem';
import { openPage } from './world.mjs';
import { check, picture } from './pages.mjs';
import * as steps from './steps.mjs';

/** Logged in, with a ceremony of so many validators made. */
async function withValidators({ browser, network, newWallet }, count) {
  const wallet = newWallet();
  const watched = await openPage(browser, wallet, network);
  await steps.connectAndLogIn(watched.page);
  await steps.chooseCommittee(watched.page);
  const ceremonyId = await steps.generate(watched.page, String(count));
  await steps.waitForVerified(watched.page);
  return { ...watched, wallet, ceremonyId };
}

const { chooseForCsm: choose, submitButton: submit, queueSays: done } = steps;

async function reverts(world) {
  const { page, context, wallet, ceremonyId, ...watched } = await withValidators(world, 2);
  const { lido } = await (await fetch(`${world.network.url}/v1/app-config`)).json();
  const chain = createTestClient({ mode: 'anvil', transport: http(world.network.rpc) });
  const row = await choose(page, ceremonyId);
  await row.getByText('verified here').waitFor({ timeout: 60_000 });
  await page.getByRole('radio', { name: 'A new node operator' }).click();
  // Everything was tried; then, before the transaction is mined, the gate stops working.
  const gate = lido.csm_permissionless_gate;
  const code = await createPublicClient({ transport: http(world.network.rpc) }).getCode({ address: gate });
  wallet.beforeSending = () => chain.setCode({ address: gate, bytecode: '0xfe' });
  await submit(page).click({ timeout: 30_000 });
  await page.getByText('It failed on the chain').waitFor({ timeout: 60_000 });
  await chain.setCode({ address: gate, bytecode: code });
  wallet.beforeSending = undefined;
  await page.getByRole('button', { name: 'Send transaction 1' }).click();
  await page.getByText('Everything is in CSM').waitFor({ timeout: 60_000 });
  await steps.assertQuiet({ page, ...watched });
  await context.close();
}

async function tampered(world) {
  const { page, context, ceremonyId, wallet } = await withValidators(world, 2);
  await page.route('**/v1/ceremonies/*/deposit-data', async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    const credentials = `${body[1].withdrawal_credentials.slice(0, 24)}${'11'.repeat(20)}`;
    body[1].withdrawal_credentials = credentials;
    await route.fulfill({ response, body: JSON.stringify(body) });
  });
  await page.reload();
  const row = await choose(page, ceremonyId);
  await row
    .getByText('Refused: the service gave out something that does not hold')
    .waitFor({ timeout: 60_000 });
  await page.getByRole('radio', { name: 'A new node operator' }).click();
  assert.equal(await page.getByRole('button', { name: 'Submit', exact: true }).isDisabled(), true);
  assert.equal(wallet.count('eth_sendTransaction'), 0);
  await context.close();
}

async function look(world, theme, phone) {
  const suffix = `${theme}-${phone ? 'phone' : 'desktop'}`;
  const { page, context, ceremonyId } = await withValidators(
    { ...world, network: { ...world.network, theme, phone } },
    3,
  );
  const see = async (name) => {
    await check(page, `${name}-${suffix}`);
    await picture(page, `${name}-${suffix}`);
  };
  const row = await choose(page, ceremonyId);
  await row.getByText('verified here').waitFor({ timeout: 60_000 });
  await page.getByRole('radio', { name: 'A new node operator' }).click();
  await page.getByText('open to you').waitFor();
  await page.getByLabel('Keys per transaction').fill('2');
  await page.getByText('CSM takes keys').waitFor({ timeout: 30_000 });
  await see('csm');
  await page.getByRole('radio', { name: /IDVTC/ }).click();
  await page.locator('.csm-token').nth(2).click();
  await page.getByLabel('Manager', { exact: true }).fill('0x12');
  await submit(page).click();
  await page.getByText('Paste the proof, or choose').waitFor();
  await see('csm-errors');
  await page.getByRole('radio', { name: 'Permissionless' }).click();
  await page.locator('.csm-token').first().click();
  await page.getByLabel('Manager', { exact: true }).fill('');
  await submit(page).click({ timeout: 30_000 });
  await done(page, '1 of 2 done');
  await page.getByRole('button', { name: 'Send transaction 2' }).waitFor();
  await see('csm-queue');
  await page.getByRole('button', { name: 'Send transaction 2' }).click({ timeout: 30_000 });
  await page.getByText('Everything is in CSM').waitFor({ timeout: 60_000 });
  await see('csm-done');
  await context.close();
}

export const tests = [
  { name: 'csm: a transaction that fails on the chain', run: reverts },
  { name: 'csm: deposit data that the service changed', run: tampered },
  ...['light', 'dark'].flatMap((theme) =>
    [false, true].map((phone) => ({
      name: `csm: the page, ${theme}, ${phone ? 'phone' : 'desktop'}`,
      run: (world) => look(world, theme, phone),
    })),
  ),
].map((test) => ({ ...test, chain: 'anvil' }));
