// Requests that are paid on the chain, and the preflight before them.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createPublicClient, http, parseAbi, parseGwei } from 'viem';
import { hoodi } from 'viem/chains';
import { see } from './manage.mjs';
import * as steps from './steps.mjs';
import { Wallet } from './wallet.mjs';
import { andRestore, openPage, startNetwork } from './world.mjs';

const SLOW = { timeout: 60_000 };
const CONTRACT = parseAbi([
  'event ValidatorDepositDataGeneration(bytes clusterNodePublicKey, address owner, bytes ownerPubkey, uint256 validatorCount, uint32[] operatorIds, uint256 depositAmount, address withdrawAddress)',
]);

const payButton = (page) => page.getByRole('button', { name: 'Pay and start' });

async function open({ browser, network, newWallet }) {
  const wallet = newWallet();
  const watched = await openPage(browser, wallet, network);
  await steps.connectAndLogIn(watched.page);
  await steps.chooseCommittee(watched.page);
  return { wallet, ...watched };
}

/** Declined; then sent, closed before it is mined, and sped up in the wallet: one ceremony, paid once. */
async function paid(world) {
  const { network } = world;
  const { page, wallet, context, ...watched } = await open(world);
  const client = createPublicClient({ chain: hoodi, transport: http(network.rpc) });
  const { contracts } = await (await fetch(`${network.url}/v1/app-config`)).json();
  const fromBlock = (await client.getBlockNumber()) + 1n;
  await page.getByLabel('Number of validators').fill('2');
  await payButton(page).and(page.locator(':enabled')).waitFor(SLOW);
  assert.equal(await steps.fit(page).count(), 4, 'all four are there');
  assert.equal(await page.getByText(/contracts read/).count(), 4);
  await see(page, 'generate-paid');
  const shown = await page.getByTestId('fee-total').textContent();

  wallet.declines = ['eth_sendTransaction'];
  await payButton(page).click();
  await page.getByText('You declined in your wallet. Nothing was sent.').waitFor();
  assert.equal(wallet.sent.length, 0);

  // The number before it is free, so that the transaction waits.
  const nonce = await client.getTransactionCount({ address: wallet.account.address });
  let asked;
  wallet.beforeSending = (transaction) => {
    transaction.nonce = nonce + 1;
    asked = transaction;
  };
  await payButton(page).click();
  await page.getByText('waits for a block').waitFor();
  assert.equal(await payButton(page).count(), 0, 'it is not offered twice');
  const other = await context.newPage();
  await other.goto('/generate');
  await other.getByText('waits for a block').waitFor();
  assert.equal(await payButton(other).count(), 0, 'in no other tab either');
  await other.close();
  await page.reload();
  await page.getByText('waits for a block').waitFor();
  await see(page, 'generate-under-way');

  wallet.beforeSending = undefined;
  const fast = parseGwei('20');
  const fees = { maxFeePerGas: 2n * fast, maxPriorityFeePerGas: fast };
  const spedUp = await wallet.client.sendTransaction({ ...asked, ...fees });
  await wallet.client.sendTransaction({ to: wallet.account.address, value: 0n, nonce });
  await page.waitForURL(/\/ceremonies\/0x[0-9a-f]{64}$/, SLOW);
  await page.getByRole('button', { name: 'Download deposit data' }).waitFor(SLOW);
  await page.getByText('Paid with').waitFor();

  const { value } = await client.getTransaction({ hash: spedUp });
  assert.equal(shown, `${Number(value) / 1e18} ETH`, 'the fee that was shown is the one that was paid');
  const requests = await client.getContractEvents({
    address: contracts.cluster_node,
    abi: CONTRACT,
    fromBlock,
    strict: true,
  });
  const own = requests.filter(({ args }) => args.owner === wallet.account.address);
  assert.deepEqual(
    own.map(({ transactionHash }) => transactionHash),
    [spedUp],
    'one request, paid once',
  );
  await againWithoutPaying(page);
  await steps.assertQuiet({ page, ...watched });
  await context.close();
}

/** The same page when the ceremony has failed: who, what, and the same again for nothing. */
async function againWithoutPaying(page) {
  await page.route('**/v1/ceremonies/0x*', async (route) => {
    const response = await route.fetch();
    const failed = { status: 'aborted', abort_reason: 'operator 2 was silent' };
    await route.fulfill({ response, body: JSON.stringify({ ...(await response.json()), ...failed }) });
  });
  await page.reload();
  await page.getByText('operator 2 was silent').waitFor();
  await page.getByRole('button', { name: 'Ask again without paying' }).click();
  await page
    .getByRole('radio', { name: 'Sign a message' })
    .and(page.locator('[aria-checked=true]'))
    .waitFor();
  assert.equal(await page.getByLabel('Number of validators').inputValue(), '2');
  await page.getByRole('button', { name: 'Sign and start' }).waitFor();
  await page.unroute('**/v1/ceremonies/0x*');
}

/** The answer of the wallet is lost although it has sent: who comes back finds the ceremony. */
async function lostAnswer(world) {
  const { page, wallet, context, ...watched } = await open(world);
  wallet.loses = 1;
  await payButton(page).click(SLOW);
  await page.getByText('answer in your wallet').waitFor();
  await page.goto('/generate');
  await page.waitForURL(/\/ceremonies\/0x[0-9a-f]{64}$/, SLOW);
  assert.equal(wallet.sent.length, 1);
  await page.getByRole('button', { name: 'Download deposit data' }).waitFor(SLOW);
  await steps.assertQuiet({ page, ...watched });
  await context.close();
}

/** A cluster node that nobody has registered is registered first; and a browser that knows no public key asks for it. */
async function firstRequest(world) {
  const { page, wallet, context, ...watched } = await open(world);
  const random = randomBytes(32).toString('hex');
  await page.route('**/v1/app-config', async (route) => {
    const response = await route.fetch();
    const body = { ...(await response.json()), cluster_pubkey: `0x02${random}` };
    await route.fulfill({ response, body: JSON.stringify(body) });
  });
  await page.evaluate(() => localStorage.removeItem('cluster-node:owner-keys'));
  await page.reload();
  await page.getByRole('button', { name: 'Sign a sentence' }).click();
  await page.getByRole('button', { name: 'Register', exact: true }).click();
  await payButton(page).and(page.locator(':enabled')).waitFor(SLOW);
  assert.equal(await page.getByText('register this service').count(), 0);
  assert.equal(wallet.sent.length, 1);
  await steps.assertQuiet({ page, ...watched });
  await context.close();
}

/** An operator is down: the page names it, and goes on only with a person's word. */
async function operatorAway({ browser }) {
  const network = await startNetwork(['--kill', '4@certify']);
  const look = async () => {
    const newWallet = () => new Wallet(network.ownerKey, 560048, network.rpc);
    const { page, context, ...watched } = await open({ browser, network, newWallet });
    await page.getByText('Not everybody is there').waitFor(SLOW);
    assert.equal(await steps.fit(page).count(), 3);
    const away = page.locator('.preflight-row', { hasText: 'not reachable' });
    assert.match(await away.textContent(), /#104.*Choose another operator/);
    await see(page, 'generate-away');
    const sign = page.getByRole('button', { name: 'Sign and start' });
    assert.equal(await sign.isDisabled(), true);
    await page.getByLabel('Go on anyway').check();
    assert.equal(await sign.isEnabled(), true);
    await steps.assertQuiet({ page, ...watched });
    await context.close();
  };
  await andRestore(look, () => network.stop());
}

export const tests = [
  {
    name: 'request: paid, declined once, reloaded before it is mined, sped up in the wallet',
    chain: 'anvil',
    run: paid,
  },
  { name: 'request: paid, and the wallet’s answer is lost', chain: 'anvil', run: lostAnswer },
  { name: 'request: the first one of a service and of a browser', chain: 'anvil', run: firstRequest },
  { name: 'request: an operator is down', run: operatorAway },
];
