// End-to-end tests: real Chromium, a real service, four real operators. `npm run e2e [-- part of a name]`.
import { startBrowser, startNetwork } from './world.mjs';
import { Wallet } from './wallet.mjs';
import * as journey from './journey.mjs';
import * as failures from './failures.mjs';
import * as pages from './pages.mjs';
import * as csm from './csm.mjs';
import * as manage from './manage.mjs';
import * as request from './request.mjs';
import * as monitor from './monitor.mjs';
import * as walletconnect from './walletconnect.mjs';

const tests = [
  ...journey.tests,
  ...failures.tests,
  ...pages.tests,
  ...csm.tests,
  ...manage.tests,
  ...request.tests,
  ...monitor.tests,
  ...walletconnect.tests,
];
const wanted = process.argv[2] ?? '';
const chosen = tests.filter(({ name }) => name.includes(wanted));

/** Networks by the chain that tests name; without one there is no chain. Each is started for its first test. */
const networks = new Map();
async function networkFor(chain) {
  if (!networks.has(chain)) networks.set(chain, await startNetwork(chain ? ['--chain', 'anvil'] : []));
  return networks.get(chain);
}

const browser = await startBrowser();
let failed = 0;
try {
  for (const { name, run, chain } of chosen) {
    const began = Date.now();
    try {
      const network = await networkFor(chain);
      const newWallet = (chainId = 560048) => new Wallet(network.ownerKey, chainId, network.rpc);
      await run({ browser, network, newWallet });
      console.log(`ok   ${name} (${Date.now() - began} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}\n${error.stack}`);
    }
  }
} finally {
  await browser.close();
  for (const network of networks.values()) await network.stop();
}
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 || chosen.length === 0 ? 1 : 0);
