// End-to-end tests: real Chromium, a real service, four real operators. `npm run e2e [-- part of a name]`.
import { startBrowser, startNetwork } from './world.mjs';
import { Wallet } from './wallet.mjs';
import * as journey from './journey.mjs';
import * as failures from './failures.mjs';
import * as pages from './pages.mjs';

const tests = [...journey.tests, ...failures.tests, ...pages.tests];
const wanted = process.argv[2] ?? '';
const chosen = tests.filter(({ name }) => name.includes(wanted));

const network = await startNetwork();
const browser = await startBrowser();
let failed = 0;
try {
  for (const { name, run } of chosen) {
    const began = Date.now();
    try {
      await run({ browser, network, newWallet: (chainId = 560048) => new Wallet(network.ownerKey, chainId) });
      console.log(`ok   ${name} (${Date.now() - began} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}\n${error.stack}`);
    }
  }
} finally {
  await browser.close();
  await network.stop();
}
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 || chosen.length === 0 ? 1 : 0);
