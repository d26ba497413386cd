// The monitor with something to see: keys in several states, a bond, an exit that Lido asks for, strikes out of a tree, figures.
import assert from 'node:assert/strict';
import {
  concat,
  createPublicClient,
  createTestClient,
  createWalletClient,
  encodeAbiParameters,
  http,
  keccak256,
  parseAbi,
  parseEther,
  toHex,
} from 'viem';
import { hoodi } from 'viem/chains';
import { openPage } from './world.mjs';
import { see } from './manage.mjs';
import * as steps from './steps.mjs';

const SLOW = { timeout: 60_000 };
const MODULE = parseAbi([
  'function admin() view returns (address)',
  'function getNodeOperatorsCount() view returns (uint256)',
  'function decreaseVettedSigningKeysCount(uint256, uint256)',
  'function deposit(uint256) returns (bytes, bytes)',
]);
const GATE = parseAbi([
  'struct Management { address manager; address reward; bool extended; }',
  'function addNodeOperatorETH(uint256, bytes, bytes, Management, address) payable returns (uint256)',
]);
const WATCHERS = parseAbi([
  'function processOracleReport(bytes32, string)',
  'function requestExit(uint256, uint256, bytes)',
]);
const KEYS = 6;

/** Keys of nobody: the module looks at lengths alone. */
const keyOf = (seed, at) => `0xb${toHex(seed * 100 + at, { size: 48 }).slice(3)}`;

/** A tree of two leaves, as OpenZeppelin's StandardMerkleTree saves it. */
function strikesTree(values) {
  const types = [{ type: 'uint256' }, { type: 'bytes' }, { type: 'uint256[]' }];
  const leaves = values
    .map((value) => ({ value, hash: keccak256(keccak256(encodeAbiParameters(types, value))) }))
    .sort((a, b) => (a.hash < b.hash ? 1 : -1));
  const [first, second] = leaves.map(({ hash }) => hash);
  const root = keccak256(concat(first < second ? [first, second] : [second, first]));
  const entries = leaves.map(({ value: [id, key, frames] }, at) => ({
    value: [Number(id), key, frames.map(Number)],
    treeIndex: at + 1,
  }));
  const file = {
    format: 'standard-v1',
    leafEncoding: types.map(({ type }) => type),
    tree: [root, first, second],
    values: entries,
  };
  return { root, file: JSON.stringify(file) };
}

/** A node operator of the wallet: four keys deposited, one of them to leave, one invalid, one behind it. */
async function withNodeOperator({ network, newWallet }) {
  const wallet = newWallet();
  const { lido } = await (await fetch(`${network.url}/v1/app-config`)).json();
  const transport = http(network.rpc);
  const client = createPublicClient({ chain: hoodi, transport });
  const module = { address: lido.csm_module, abi: MODULE };
  const id = await client.readContract({ ...module, functionName: 'getNodeOperatorsCount' });
  const keys = Array.from({ length: KEYS }, (_, at) => keyOf(Number(id) + 1, at));
  const mined = async (hash) => {
    const receipt = await client.waitForTransactionReceipt({ hash });
    assert.equal(receipt.status, 'success');
  };
  const roles = { manager: wallet.account.address, reward: wallet.account.address, extended: false };
  await mined(
    await wallet.client.writeContract({
      address: lido.csm_permissionless_gate,
      abi: GATE,
      functionName: 'addNodeOperatorETH',
      args: [BigInt(KEYS), concat(keys), toHex(1, { size: 96 * KEYS }), roles, wallet.account.address],
      value: parseEther('12'),
    }),
  );
  // The admin of the double plays Lido's oracles and councils.
  const admin = await client.readContract({ ...module, functionName: 'admin' });
  const chain = createTestClient({ mode: 'anvil', chain: hoodi, transport });
  await chain.impersonateAccount({ address: admin });
  await chain.setBalance({ address: admin, value: parseEther('10000') });
  const lidos = createWalletClient({ account: admin, chain: hoodi, transport });
  const asAdmin = async (call) => mined(await lidos.writeContract(call));
  await asAdmin({ ...module, functionName: 'decreaseVettedSigningKeysCount', args: [id, 4n] });
  // Of everybody, in the order of the queue.
  await asAdmin({ ...module, functionName: 'deposit', args: [1_000n] });
  const watchers = { address: lido.csm_exit_penalties, abi: WATCHERS };
  await asAdmin({ ...watchers, functionName: 'requestExit', args: [id, 4_711n, keys[1]] });
  const tree = strikesTree([
    [id, keys[0], [1n, 0n, 1n, 1n]],
    [id, keys[2], [1n, 1n]],
  ]);
  await asAdmin({ ...watchers, functionName: 'processOracleReport', args: [tree.root, 'bafystrikes'] });
  await chain.stopImpersonatingAccount({ address: admin });
  return { wallet, id, keys, tree };
}

/** The demo's validators are on no beacon chain, so that the service has no figures of them. */
async function withTotals(page, keys) {
  const duties = (submitted) => [{ kind: 'attestation', expected: 1_575, submitted, misses: {} }];
  const sent = [1_570, 1_574, 1_480, 1_575];
  const items = sent.map((submitted, at) => ({ pubkey: keys[at], epochs: 1_575, duties: duties(submitted) }));
  await page.route('**/v1/performance/totals?*', (route) => route.fulfill({ json: { items } }));
}

/** Nor has any operator of the demo relays: what it would look like if some knew another fee recipient, and others nothing. */
async function withRelays(page, attention) {
  const totals = {
    validators: 4,
    relay: { registered: 1, partly: 1, not: 1, waiting: 0, off: 1, unsaid: 0 },
    mixed_recipients: 1,
    exits: { ordered: 1, signed: 1, published: 0 },
    attention,
  };
  await page.route('**/v1/upkeep/totals', (route) => route.fulfill({ json: totals }));
}

async function monitor(world) {
  const { wallet, id, keys, tree } = await withNodeOperator(world);
  const watched = await openPage(world.browser, wallet, world.network);
  const { page, context } = watched;
  await steps.connectAndLogIn(page);
  await withTotals(page, keys);
  await withRelays(page, keys.slice(0, 3));
  await page.goto('/monitor');
  await page.getByText('Relays know another fee recipient for one validator').waitFor(SLOW);
  await page.getByText('one validator not registered with builders’ relays').waitFor();
  const relays = page.getByRole('region', { name: 'Relay registration', exact: true });
  await relays.getByText('1 ordered, 1 signed by a quorum').waitFor();
  const links = relays.getByRole('list', { name: 'Validators to look at' }).getByRole('link');
  const targets = await links.evaluateAll((all) => all.map((one) => one.getAttribute('href')));
  assert.deepEqual(
    targets,
    keys.slice(0, 3).map((key) => `/validators/${key}`),
  );
  const part = page.getByRole('region', { name: `Node operator ${id}`, exact: true });
  await part.getByText('exit requested').first().waitFor(SLOW);
  await part.getByText('99.6 % measured, at least 97.0 %').waitFor(SLOW);
  await part.getByText('93.9 % measured, below 97.0 %').waitFor();
  await part.getByText('the network’s performance less 3 %').waitFor();

  // What the contract does not say is not claimed.
  await part.getByText('Which validators have strikes is not known yet').waitFor(SLOW);
  const give = (text) =>
    part.getByLabel('Tree of strikes').setInputFiles({
      name: 'strikes.json',
      mimeType: 'application/json',
      buffer: Buffer.from(text),
    });
  await give(tree.file.replace('[1,1]', '[0,0]'));
  await part.getByText('The tree is not whole.').waitFor();
  assert.equal(await part.getByText('3 of 3 strikes').count(), 0);
  await give(tree.file);
  await part.getByText('3 of 3 strikes').waitFor();
  await part.getByText('one validator can be forced to leave').waitFor();
  await part.getByText('one validator one strike from a forced exit').waitFor();
  await see(page, 'monitor-keys');
  await steps.assertQuiet(watched);
  await context.close();
}

export const tests = [{ name: 'monitor: keys, exit, strikes and figures', run: monitor, chain: 'anvil' }];
