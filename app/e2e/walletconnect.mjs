// A wallet on a phone, over a relay: paired by the code in the page, asked for signatures, gone after a reload.
import assert from 'node:assert/strict';
import { andRestore, openPage } from './world.mjs';
import { Phone } from './phone.mjs';
import { check, picture } from './pages.mjs';
import * as steps from './steps.mjs';

const PHONE = { name: 'Wallet on a phone (WalletConnect)' };
const SLOW = { timeout: 30_000 };

async function startPairing(page) {
  await page.getByRole('banner').getByRole('button', { name: 'Connect wallet' }).click();
  await page.getByRole('button', PHONE).click();
  const field = page.getByLabel('Or paste this in your wallet');
  await field.waitFor(SLOW);
  return field.inputValue();
}

/** Nothing of a pairing lies in the browser, and the relay alone was spoken to, in sealed messages. */
async function assertSealed({ page, sockets }, relay) {
  const kept = await page.evaluate(async () => ({
    local: Object.keys(localStorage),
    session: Object.keys(sessionStorage),
    databases: (await window.indexedDB.databases()).map(({ name }) => name),
  }));
  assert.deepEqual(kept.databases, [], 'no database is kept');
  assert.ok(
    ![...kept.local, ...kept.session].some((key) => /^(wc@|WCM|WALLETCONNECT)/i.test(key)),
    JSON.stringify(kept),
  );
  assert.ok(
    sockets.length > 0 && sockets.every((url) => new URL(url).host === new URL(relay.url).host),
    sockets.join(),
  );
  const published = relay.seen
    .filter(({ from, method }) => from !== 'phone' && method === 'irn_publish')
    .map(({ params }) => params);
  assert.ok(published.length > 0);
  const extra = published.flatMap((params) =>
    Object.keys(params).filter((name) => !['topic', 'message', 'ttl', 'tag', 'prompt'].includes(name)),
  );
  assert.deepEqual(
    extra.filter((name) => published.some((params) => params[name] !== undefined)),
    [],
    'the relay learns nothing beside sealed messages',
  );
}

async function open({ browser, network }, look = {}) {
  const watched = await openPage(browser, null, { ...network, ...look });
  const sockets = [];
  watched.page.on('websocket', (socket) => sockets.push(socket.url()));
  return { ...watched, sockets };
}

async function logsIn(world) {
  const { network, newWallet } = world;
  const { relay } = network;
  const wallet = newWallet();
  const opened = await open(world);
  const { context } = opened;
  const phone = await Phone.start(wallet, relay.url);
  await andRestore(
    () => pairs(opened, phone, wallet, relay),
    () => phone.stop(),
  );
  await context.close();
}

async function pairs(opened, phone, wallet, relay) {
  const { page, sockets } = opened;
  await page.goto('/');
  await page.getByRole('banner').getByRole('button', { name: 'Connect wallet' }).waitFor();
  assert.deepEqual(sockets, [], 'the relay is not reached before somebody wants it');

  phone.takes = false;
  await phone.pair(await startPairing(page));
  await page.getByRole('dialog').getByText('You declined in your wallet').waitFor(SLOW);
  // Whoever gives up can begin again.
  await page.getByRole('button', PHONE).click();
  await page.getByRole('img', { name: 'QR code of the pairing' }).waitFor(SLOW);
  await page.getByRole('button', { name: 'Choose another wallet' }).click();
  await page.keyboard.press('Escape');

  phone.takes = true;
  await phone.pair(await startPairing(page));
  await page.getByRole('banner').getByText('0x').waitFor(SLOW);
  assert.deepEqual(phone.proposals.at(-1).optionalNamespaces.eip155.chains, ['eip155:560048']);

  wallet.declines = ['personal_sign'];
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).first().click();
  await page.getByRole('main').getByText('You declined in your wallet').waitFor(SLOW);
  await steps.logIn(page);
  assert.equal(wallet.count('personal_sign'), 2);
  await assertSealed(opened, relay);
  await steps.assertQuiet(opened);

  // The pairing ends with the page; the session with the service is a cookie and stays.
  await page.reload();
  await page.getByRole('banner').getByRole('button', { name: 'Connect wallet' }).waitFor();
  await phone.pair(await startPairing(page));
  await page.getByText(', logged in').waitFor({ state: 'attached', ...SLOW });
  await phone.leave();
  await page.getByRole('banner').getByRole('button', { name: 'Connect wallet' }).waitFor(SLOW);
  await steps.assertQuiet(opened);
}

async function look(world) {
  for (const theme of ['light', 'dark']) {
    for (const phone of [false, true]) {
      const { page, context } = await open(world, { theme, phone });
      await page.goto('/');
      await startPairing(page);
      const name = `connect-phone-${theme}-${phone ? 'phone' : 'desktop'}`;
      await check(page, name);
      await picture(page, name);
      await context.close();
    }
  }
}

export const tests = [
  { name: 'walletconnect: pairs, logs in, is gone after a reload', run: logsIn },
  { name: 'walletconnect: the dialog', run: look },
].map((test) => ({ ...test, chain: 'anvil' }));
