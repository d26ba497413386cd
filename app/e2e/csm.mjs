// From verified deposit data to keys in Lido's module: on a chain of anvil's, with the double of CSM, four operators and the service.
import assert from 'node:assert/strict';
import { createPublicClient, createTestClient, http, parseAbi } from 'viem';
import { openPage } from './world.mjs';
import { check, picture } from './pages.mjs';
import * as steps from './steps.mjs';

const MODULE = parseAbi([
  'struct NodeOperator { uint32 totalAddedKeys; uint32 withdrawn; uint32 deposited; uint32 vetted }',
  'function getNodeOperator(uint256) view returns (NodeOperator)',
  'function getSigningKeys(uint256, uint256, uint256) view returns (bytes)',
  'function getNodeOperatorsCount() view returns (uint256)',
]);

/** Keys of every node operator of the module. */
async function keysInModule(network) {
  const { lido } = await (await fetch(`${network.url}/v1/app-config`)).json();
  const client = createPublicClient({ transport: http(network.rpc) });
  const of = { address: lido.csm_module, abi: MODULE };
  const count = await client.readContract({ ...of, functionName: 'getNodeOperatorsCount' });
  const keys = [];
  for (let id = 0n; id < count; id += 1n) {
    const { totalAddedKeys } = await client.readContract({
      ...of,
      functionName: 'getNodeOperator',
      args: [id],
    });
    const bytes = await client.readContract({
      ...of,
      functionName: 'getSigningKeys',
      args: [id, 0n, BigInt(totalAddedKeys)],
    });
    keys.push(...(bytes.slice(2).match(/.{96}/g) ?? []));
  }
  return keys;
}

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

async function choose(page, ceremonyId) {
  await page.getByRole('navigation').getByRole('link', { name: 'Submit to CSM' }).click();
  const row = page.locator('.csm-group').filter({ has: page.locator(`a[href="/ceremonies/${ceremonyId}"]`) });
  await row.getByRole('checkbox').check();
  return row;
}

const submit = (page) => page.getByRole('button', { name: /^Submit \d+ validator/ });
const done = (page, words) => page.getByText(words, { exact: true }).waitFor({ timeout: 60_000 });

async function twoBatches(world) {
  const { page, context, wallet, ceremonyId, ...watched } = await withValidators(world, 55);
  const before = await keysInModule(world.network);
  const row = await choose(page, ceremonyId);
  await row.getByText('verified here').waitFor({ timeout: 60_000 });
  await page.getByRole('radio', { name: 'A new node operator' }).click();
  wallet.declines = ['eth_sendTransaction'];
  await submit(page).click({ timeout: 30_000 });
  await page.getByText('You declined in your wallet. Nothing was sent.').waitFor({ timeout: 30_000 });
  assert.deepEqual(await keysInModule(world.network), before);

  // The page is gone while the wallet sends: whoever comes back finds the batch in CSM, and it is not sent twice.
  wallet.loses = 1;
  await page.getByRole('button', { name: 'Send transaction 1' }).click();
  await page.getByText('Confirm the transaction in your wallet…').waitFor();
  await page.reload();
  await done(page, '1 of 2 done');
  assert.equal((await keysInModule(world.network)).length, before.length + 28);
  assert.equal(await page.getByRole('button', { name: 'Send transaction 1' }).count(), 0);

  await page.getByRole('button', { name: 'Send transaction 2' }).click({ timeout: 60_000 });
  await done(page, '2 of 2 done');
  await page.getByText('Everything is in CSM').waitFor();
  const after = await keysInModule(world.network);
  assert.equal(after.length, before.length + 55);
  assert.equal(new Set(after).size, after.length, 'no key is there twice');
  await page.reload();
  await page.getByText('Everything is in CSM').waitFor();
  await steps.assertQuiet({ page, ...watched });
  await context.close();
}

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
  { name: 'csm: 55 validators in two transactions, declined once, a reload in the middle', run: twoBatches },
  { name: 'csm: a transaction that fails on the chain', run: reverts },
  { name: 'csm: deposit data that the service changed', run: tampered },
  ...['light', 'dark'].flatMap((theme) =>
    [false, true].map((phone) => ({
      name: `csm: the page, ${theme}, ${phone ? 'phone' : 'desktop'}`,
      run: (world) => look(world, theme, phone),
    })),
  ),
].map((test) => ({ ...test, chain: 'csm' }));
