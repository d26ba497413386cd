// End-to-end tests: real Chromium, a real service, four real operators. `npm run e2e [-- parts of names]`.
import { startBrowser, startNetwork } from './world.mjs';
import { ownWallet, Wallet } from './wallet.mjs';
import * as journey from './journey.mjs';
import * as failures from './failures.mjs';
import * as pages from './pages.mjs';
import * as csm from './csm.mjs';
import * as manage from './manage.mjs';
import * as request from './request.mjs';
import * as monitor from './monitor.mjs';
import * as walletconnect from './walletconnect.mjs';
import * as whole from './whole.mjs';
import * as interruptions from './interruptions.mjs';
import * as money from './money.mjs';
import * as claims from './claims.mjs';
import * as contractWallet from './contract-wallet.mjs';
import * as replace from './replace.mjs';

const files = [
  journey,
  failures,
  pages,
  manage,
  csm,
  request,
  walletconnect,
  monitor,
  whole,
  interruptions,
  money,
  claims,
  contractWallet,
  replace,
];
const tests = files.flatMap((file) => file.tests);
const wanted = process.argv.slice(2);
const chosen = tests.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));

const NETWORKS = {
  none: [],
  anvil: ['--chain', 'anvil'],
  // With an operator that is in no committee yet.
  spare: ['--chain', 'anvil', '--spare-operators', '1'],
};

/** Networks by the chain that tests name; without one there is no chain. Each is started for its first test. */
const networks = new Map();
async function networkFor(chain) {
  if (!networks.has(chain)) networks.set(chain, await startNetwork(NETWORKS[chain ?? 'none']));
  return networks.get(chain);
}

const browser = await startBrowser();

/** What a case that failed left open: said, and closed, so that the next one has the browser for itself. */
async function closeAll() {
  for (const context of browser.contexts()) {
    for (const page of context.pages()) {
      const words = await page
        .locator('main')
        .innerText({ timeout: 5_000 })
        .catch(() => '(no page)');
      console.log(`     left at ${page.url()}: ${words.replace(/\s+/g, ' ').slice(0, 1_500)}`);
    }
    await context.close();
  }
}

let failed = 0;
try {
  for (const { name, run, chain } of chosen) {
    const began = Date.now();
    try {
      const network = await networkFor(chain);
      const newWallet = (chainId = 560048) => new Wallet(network.ownerKey, chainId, network.rpc);
      const newOwner = () => ownWallet(network.rpc);
      await run({ browser, network, newWallet, newOwner });
      console.log(`ok   ${name} (${Date.now() - began} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}\n${error.stack}`);
      await closeAll();
    }
  }
} finally {
  await browser.close();
  for (const network of networks.values()) await network.stop();
}
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 || chosen.length === 0 ? 1 : 0);
