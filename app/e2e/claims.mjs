// Rewards and what becomes of them on the chain, with a tree as Lido's oracle publishes it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  concat,
  encodeAbiParameters,
  keccak256,
  parseAbi,
  parseEther,
  parseEventLogs,
  toHex,
  zeroAddress,
} from 'viem';
import { admin, contracts, reader } from './chain.mjs';
import * as steps from './steps.mjs';
import { openPage } from './world.mjs';

const SLOW = { timeout: 60_000 };
/** What one report of the oracle brings, in shares; the double begins with one share for each wei. */
const REWARD = parseEther('1.5');

const GATE = parseAbi([
  'struct Management { address manager; address reward; bool extended }',
  'function addNodeOperatorETH(uint256, bytes, bytes, Management, address) payable returns (uint256)',
]);
const ACCOUNTING = parseAbi([
  'function getBondAmountByKeysCount(uint256, uint256) view returns (uint256)',
  'function feeDistributor() view returns (address)',
  'event BondClaimedUnstETH(uint256 indexed nodeOperatorId, address to, uint256 amount, uint256 requestId)',
]);
const MODULE = parseAbi(['function getNodeOperatorsCount() view returns (uint256)']);
const STETH = parseAbi([
  'function submit(address) payable returns (uint256)',
  'function transferShares(address, uint256) returns (uint256)',
  'function sharesOf(address) view returns (uint256)',
]);
const WSTETH = parseAbi(['function balanceOf(address) view returns (uint256)']);
const DISTRIBUTOR = parseAbi([
  'function processOracleReport(bytes32, string, string)',
  'function distributedShares(uint256) view returns (uint256)',
]);

/** A node operator of the wallet; its keys are nobody's. */
async function makeOperator(network, wallet, lido) {
  const client = reader(network);
  const id = await client.readContract({
    address: lido.csm_module,
    abi: MODULE,
    functionName: 'getNodeOperatorsCount',
  });
  const bytes = (length) => toHex(randomBytes(length));
  const value = await client.readContract({
    address: lido.csm_accounting,
    abi: ACCOUNTING,
    functionName: 'getBondAmountByKeysCount',
    args: [2n, 0n],
  });
  const management = { manager: zeroAddress, reward: zeroAddress, extended: false };
  const hash = await wallet.client.writeContract({
    address: lido.csm_permissionless_gate,
    abi: GATE,
    functionName: 'addNodeOperatorETH',
    args: [2n, bytes(96), bytes(192), management, zeroAddress],
    value,
  });
  assert.equal((await client.waitForTransactionReceipt({ hash })).status, 'success');
  return id;
}

/** OpenZeppelin's standard tree: leaves at the end, every node after the hash of both. */
function treeOf(values) {
  const leaf = ([id, shares]) =>
    keccak256(keccak256(encodeAbiParameters([{ type: 'uint256' }, { type: 'uint256' }], [id, shares])));
  const leaves = values
    .map((value) => ({ value, hash: leaf(value) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  const tree = Array(2 * leaves.length - 1);
  leaves.forEach(({ hash }, at) => (tree[tree.length - 1 - at] = hash));
  for (let at = tree.length - leaves.length - 1; at >= 0; at -= 1) {
    const [left, right] = [tree[2 * at + 1], tree[2 * at + 2]];
    tree[at] = keccak256(left < right ? concat([left, right]) : concat([right, left]));
  }
  const file = {
    format: 'standard-v1',
    leafEncoding: ['uint256', 'uint256'],
    tree,
    values: leaves.map(({ value }, at) => ({ value: value.map(String), treeIndex: tree.length - 1 - at })),
  };
  return { root: tree[0], text: JSON.stringify(file) };
}

/** Lido's side: the oracle reports a tree, and the shares come with it. */
async function oracle(network, lido, distributor) {
  const lidos = admin(network);
  const client = reader(network);
  const send = async (call) => {
    const hash = await lidos.writeContract(call);
    assert.equal((await client.waitForTransactionReceipt({ hash })).status, 'success');
  };
  const steth = { address: lido.steth, abi: STETH };
  await send({ ...steth, functionName: 'submit', args: [zeroAddress], value: parseEther('20') });
  await send({ ...steth, functionName: 'transferShares', args: [distributor, parseEther('10')] });
  return async (id, shares) => {
    const tree = treeOf([
      [id, shares],
      [id + 1_000n, 7n],
      [id + 2_000n, 8n],
      [id + 3_000n, 9n],
    ]);
    await send({
      address: distributor,
      abi: DISTRIBUTOR,
      functionName: 'processOracleReport',
      args: [tree.root, 'cid of a test', 'log of a test'],
    });
    return tree.text;
  };
}

async function claims({ browser, network, newOwner }) {
  const wallet = await newOwner();
  const account = wallet.account.address;
  const lido = await contracts(network);
  const client = reader(network);
  const id = await makeOperator(network, wallet, lido);
  const read = (address, abi, functionName, args = []) =>
    client.readContract({ address, abi, functionName, args });
  const distributor = await read(lido.csm_accounting, ACCOUNTING, 'feeDistributor');
  const report = await oracle(network, lido, distributor);
  const stale = await report(id, REWARD - 1n);
  const first = await report(id, REWARD);

  const watched = await openPage(browser, wallet, network);
  const { page, context } = watched;
  await steps.connectAndLogIn(page);
  await openMonitor(page, id);
  const claim = page.getByRole('button', { name: 'Claim all' });
  assert.ok(await claim.isDisabled(), 'the bond is not more than needed');
  await chooseTree(page, stale);
  await page.getByText('This is another tree than the one that the contract names').waitFor();
  await chooseTree(page, first);
  await page.getByText('The proof holds.').waitFor();
  await page.getByText('1.5', { exact: false }).first().waitFor();
  wallet.declines = ['eth_sendTransaction'];
  await claim.click(SLOW);
  await page.getByText('You declined in your wallet').first().waitFor();
  assert.equal(await read(distributor, DISTRIBUTOR, 'distributedShares', [id]), 0n);

  // The page goes away while the wallet asks; the claim is there all the same, and once.
  const { asked, confirm } = wallet.hold();
  await claim.click();
  await asked;
  await openMonitor(page, id);
  confirm();
  await waitUntil(async () => (await read(distributor, DISTRIBUTOR, 'distributedShares', [id])) === REWARD);
  assert.equal(await read(lido.steth, STETH, 'sharesOf', [account]), REWARD, 'paid out to the last share');
  await openMonitor(page, id);
  await chooseTree(page, first);
  await page.getByText('The proof holds.').waitFor();
  assert.ok(await claim.isDisabled(), 'claimed once');

  // Wrapped; and the oracle is quicker than the wallet once: the old proof reverts, and nothing is paid.
  const second = await report(id, REWARD * 2n);
  let third;
  await openMonitor(page, id);
  await chooseTree(page, second);
  await page.getByText('The proof holds.').waitFor();
  await page.getByRole('radio', { name: /^wstETH/ }).click();
  wallet.beforeSending = async () => {
    wallet.beforeSending = undefined;
    third = await report(id, REWARD * 3n);
  };
  await claim.click(SLOW);
  await steps.sentAs(page, 'failed').waitFor(SLOW);
  assert.equal(await read(lido.wsteth, WSTETH, 'balanceOf', [account]), 0n);
  await openMonitor(page, id);
  await chooseTree(page, third);
  await page.getByText('The proof holds.').waitFor();
  await page.getByRole('radio', { name: /^wstETH/ }).click();
  await claim.click(SLOW);
  await waitUntil(
    async () => (await read(distributor, DISTRIBUTOR, 'distributedShares', [id])) === REWARD * 3n,
  );
  assert.equal(await read(lido.wsteth, WSTETH, 'balanceOf', [account]), REWARD * 2n, 'wrapped shares');
  assert.equal(await read(lido.steth, STETH, 'sharesOf', [account]), REWARD, 'nothing twice');
  await claimAsEther({ page, network, wallet, lido, id, tree: await report(id, REWARD * 4n) });
  assert.equal(await read(lido.steth, STETH, 'sharesOf', [account]), REWARD, 'the queue has these shares');
  await steps.assertQuiet(watched);
  await context.close();
}

/** A request for withdrawal takes the place of stETH. Lido's queue is not part of the double: its admin keeps the shares. */
async function claimAsEther({ page, network, wallet, lido, id, tree }) {
  const client = reader(network);
  const heldByAdmin = () =>
    client.readContract({
      address: lido.steth,
      abi: STETH,
      functionName: 'sharesOf',
      args: [admin(network).account.address],
    });
  const before = await heldByAdmin();
  await openMonitor(page, id);
  await chooseTree(page, tree);
  await page.getByText('The proof holds.').waitFor();
  await page.getByRole('radio', { name: /^ETH/ }).click();
  const sent = wallet.sent.length;
  await page.getByRole('button', { name: 'Claim all' }).click(SLOW);
  await waitUntil(() => wallet.sent.length > sent);
  const hash = wallet.sent.at(-1);
  const { status, logs } = await client.waitForTransactionReceipt({ hash });
  assert.equal(status, 'success');
  const requests = parseEventLogs({ abi: ACCOUNTING, logs });
  assert.equal(requests.length, 1);
  const [{ args }] = requests;
  assert.deepEqual([args.nodeOperatorId, args.to], [id, wallet.account.address]);
  assert.ok(args.requestId > 0n);
  assert.equal((await heldByAdmin()) - before, REWARD, 'the last report, to the last share');
  const row = page.locator('.sent', { hasText: hash.slice(0, 8) });
  await row.getByText('done', { exact: true }).waitFor(SLOW);
}

/** The page of this node operator, read anew. */
async function openMonitor(page, id) {
  await page.goto('/monitor');
  await page.getByRole('heading', { name: `Node operator ${id}`, exact: true }).waitFor(SLOW);
  await page.getByLabel('Rewards tree (tree.json)').waitFor(SLOW);
}

const chooseTree = (page, text) =>
  page
    .getByLabel('Rewards tree (tree.json)')
    .setInputFiles({ name: 'tree.json', mimeType: 'application/json', buffer: Buffer.from(text) });

async function waitUntil(holds) {
  const end = Date.now() + SLOW.timeout;
  while (!(await holds())) {
    assert.ok(Date.now() < end, 'it does not come to be');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

export const tests = [
  { name: 'claims: rewards by a proof, as stETH, wrapped and as ETH', chain: 'anvil', run: claims },
];
