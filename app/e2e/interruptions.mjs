// Parts of the network that go away in the middle, and come back.
import assert from 'node:assert/strict';
import { keysInModule } from './chain.mjs';
import * as steps from './steps.mjs';
import { andRestore, openPage } from './world.mjs';

const SLOW = { timeout: 60_000 };
/** What the browser itself says of a service that is away. */
const AWAY = [
  /ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|NETWORK_IO_SUSPENDED)/,
];

async function middleOfCeremony({ browser, network, newWallet }) {
  const heard = network.heard();
  // It is started anew for that: before anybody asks whether it is there.
  const dies = await network.command('stop-operator 2@verdicts', /dies when/);
  const id = Number(/operator (\d+)/.exec(dies)[1]);
  const watched = await openPage(browser, newWallet(), network);
  const { page, context } = watched;
  await andRestore(
    async () => {
      await steps.connectAndLogIn(page);
      await steps.chooseCommittee(page);
      await steps.waitForFit(page);
      await steps.generate(page, '3');
      await network.said(new RegExp(`operator ${id} has died`), heard);
      // The others wait for the dead one: the ceremony is under way.
      assert.equal(await page.getByRole('button', { name: 'Download deposit data' }).count(), 0);
      await network.command('restart-service', /^the service is running/);
      await missing(page, network, id);
    },
    () => revive(network, id),
  );
  await steps.waitForVerified(page);
  await page.getByText('done', { exact: true }).nth(3).waitFor(SLOW);
  await page.getByText('Operators are missing').waitFor({ state: 'detached' });
  await steps.assertQuiet(watched, AWAY);
  await context.close();
}

/** The page names who is missing, and offers nothing to deposit. */
async function missing(page, network, id) {
  const notice = page.locator('.notice', { hasText: 'Operators are missing' });
  await notice.waitFor(SLOW);
  const { items } = await (await fetch(`${network.url}/v1/operators?limit=100`)).json();
  const { name } = items.find(({ operator_id }) => operator_id === id);
  await notice.getByText(`${name} has not confirmed yet`).waitFor();
  assert.equal(
    await page.getByRole('button', { name: 'Download deposit data' }).count(),
    0,
    'nothing to deposit',
  );
}

/** An operator that was to die runs again, and is not to die any more. */
async function revive(network, id) {
  const states = await network.command('operators', /^operator \d+ is/);
  // One that has not died yet would do so in the ceremony of another case.
  if (!states.includes(`operator ${id} is stopped`))
    await network.command(`stop-operator ${id}`, /is stopped$/);
  await network.command(`start-operator ${id}`, /is running$/);
}

/** The chain is asked by the browser itself: while the service is away, what was sent is found, and nothing unchecked follows. */
async function middleOfQueue({ browser, network, newOwner }) {
  const wallet = await newOwner();
  const watched = await openPage(browser, wallet, network);
  const { page, context } = watched;
  await steps.connectAndLogIn(page);
  await steps.chooseCommittee(page);
  const ceremonyId = await steps.generate(page, '3');
  await steps.waitForVerified(page);
  const before = await keysInModule(network);
  const [asked, sent] = [wallet.count('eth_sendTransaction'), wallet.sent.length];
  const row = await steps.chooseForCsm(page, ceremonyId);
  await row.getByText('verified here').waitFor(SLOW);
  await steps.newOperator(page).click();
  await page.getByLabel('Keys per transaction').fill('1');
  const first = wallet.hold();
  await steps.submitButton(page).click(SLOW);
  await first.asked;
  await network.command('stop-service', /^the service is stopped/);
  await andRestore(
    async () => {
      first.confirm();
      await steps.queueSays(page, '1 of 3 done');
      await steps.sendButton(page, 2).click(SLOW);
      await page.getByText('The transaction was not sent').waitFor(SLOW);
      assert.equal(
        wallet.count('eth_sendTransaction'),
        asked + 1,
        'the wallet is not asked for what cannot be checked',
      );
    },
    () => network.command('start-service', /^the service is running/),
  );
  await page.reload();
  const again = wallet.hold();
  await steps.sendButton(page, 2).click(SLOW);
  await again.asked;
  await network.command('restart-service', /^the service is running/);
  again.confirm();
  await steps.queueSays(page, '2 of 3 done');
  await steps.sendButton(page, 3).click(SLOW);
  await steps.everythingInCsm(page);
  assert.equal((await keysInModule(network)).length, before.length + 3);
  assert.equal(wallet.sent.length, sent + 3);

  await steps.link(page, 'Register').click();
  const held = wallet.hold();
  await steps.registerButton(page).click(SLOW);
  await held.asked;
  await network.command('restart-service', /^the service is running/);
  held.confirm();
  await page.getByText('Every validator is registered').waitFor(SLOW);
  await steps.assertQuiet(watched, AWAY);
  await context.close();
}

export const tests = [
  { name: 'interrupted: an operator dies and the service restarts in a ceremony', run: middleOfCeremony },
  {
    name: 'interrupted: the service restarts between and in transactions',
    run: middleOfQueue,
    chain: 'anvil',
  },
];
