// A wallet that is a contract, of two owners of three: it logs in by EIP-1271, sends what the cluster page made for it, and claims.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { hashMessage, hashTypedData, hexToString, parseAbi, parseEther } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { admin, contracts, keysInModule, reader } from './chain.mjs';
import * as steps from './steps.mjs';
import { Wallet } from './wallet.mjs';
import { openPage } from './world.mjs';

const SLOW = { timeout: 60_000 };
const ARTEFACT = new URL('../../contracts/out/ContractWallet.sol/ContractWallet.json', import.meta.url)
  .pathname;
const MODULE = parseAbi([
  'function getNodeOperatorsCount() view returns (uint256)',
  'function getNodeOperatorManagementProperties(uint256) view returns (address manager, address reward, bool extended)',
]);

/** The provider of a contract wallet: the account is the contract, owners sign, one of them sends. */
class ContractWallet extends Wallet {
  /** Puts the contract on the chain, with ether. */
  static async make(network) {
    if (!existsSync(ARTEFACT)) throw new Error(`${ARTEFACT} is missing: contracts/forge build`);
    const { abi, bytecode } = JSON.parse(readFileSync(ARTEFACT, 'utf8'));
    const owners = [generatePrivateKey(), generatePrivateKey(), generatePrivateKey()];
    const wallet = new ContractWallet(owners[0], 560048, network.rpc);
    wallet.abi = abi;
    wallet.owners = owners.map((key) => privateKeyToAccount(key));
    const rich = admin(network);
    const client = reader(network);
    const args = [wallet.owners.map(({ address }) => address), 2n];
    const hash = await rich.deployContract({ abi, bytecode: bytecode.object, args });
    const { contractAddress } = await client.waitForTransactionReceipt({ hash });
    wallet.address = contractAddress;
    // Who sends pays the gas; the contract pays everything else.
    for (const [to, ether] of [
      [wallet.sender.address, '1'],
      [contractAddress, '500'],
    ]) {
      const paid = await rich.sendTransaction({ to, value: parseEther(ether) });
      await client.waitForTransactionReceipt({ hash: paid });
    }
    return wallet;
  }

  /** The owner that sends what was signed. */
  get sender() {
    return this.owners[0];
  }

  /** Signatures of two owners, ascending by address. */
  async signedBy(hash, owners = this.owners.slice(1)) {
    const ascending = owners.toSorted((a, b) => (a.address.toLowerCase() < b.address.toLowerCase() ? -1 : 1));
    const signatures = await Promise.all(ascending.map((owner) => owner.sign({ hash })));
    return this.kept(`0x${signatures.map((one) => one.slice(2)).join('')}`);
  }

  async perform(method, params) {
    switch (method) {
      case 'eth_requestAccounts':
        this.connected = true;
        return [this.address];
      case 'eth_accounts':
        return this.connected ? [this.address] : [];
      case 'personal_sign':
        return this.signedBy(hashMessage(hexToString(params[0])), this.signers);
      case 'eth_signTypedData_v4':
        return this.signedBy(hashTypedData(JSON.parse(params[1])), this.signers);
      default:
        return super.perform(method, params);
    }
  }

  async send({ to, data, value }) {
    await this.beforeSending?.({ to, data, value });
    const hash = await this.execute([{ to, value: BigInt(value ?? 0), data: data ?? '0x' }]);
    this.sent.push(hash);
    return hash;
  }

  /** Sends calls in one transaction, all or none. */
  async execute(calls) {
    const contract = { address: this.address, abi: this.abi };
    const client = reader(this);
    const digest = await client.readContract({ ...contract, functionName: 'digestOf', args: [calls] });
    const args = [calls, await this.signedBy(digest)];
    return this.client.writeContract({ ...contract, account: this.sender, functionName: 'execute', args });
  }
}

/** The keys are made by an owner with a key of its own: requests are signed, or sent, by who can be named in a certificate. */
async function makeFiles({ browser, network, newOwner }) {
  const { page, context } = await openPage(browser, await newOwner(), network);
  await steps.connectAndLogIn(page);
  await steps.chooseCommittee(page);
  await steps.generate(page, '2');
  await steps.waitForVerified(page);
  const files = [];
  for (const name of ['Download deposit data', 'Download certificate']) {
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name }).click(),
    ]);
    const buffer = readFileSync(await file.path());
    files.push({ name: file.suggestedFilename(), mimeType: 'application/json', buffer });
  }
  await context.close();
  return files;
}

async function contractWallet(world) {
  const { browser, network } = world;
  const files = await makeFiles(world);
  const wallet = await ContractWallet.make(network);
  const watched = await openPage(browser, wallet, network);
  const { page, context } = watched;
  await page.goto('/');
  await steps.connect(page);
  wallet.signers = wallet.owners.slice(2);
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).first().click();
  await page.locator('.field-error').first().waitFor(SLOW);
  assert.equal(await page.getByText(', logged in').count(), 0, 'one owner of three is not enough');
  wallet.signers = undefined;
  await steps.logIn(page);
  const id = await executeExport(page, network, wallet, files);
  await claim(page, network, wallet, id);
  const kept = await steps.assertQuiet(watched, [/401/]);
  for (const signature of wallet.signatures) {
    assert.ok(!kept.includes(signature.slice(2)), 'no signature is kept');
  }
  await context.close();
}

/** The cluster page's file, signed by two owners and sent. Gives the node operator that it made. */
async function executeExport(page, network, wallet, files) {
  const before = await keysInModule(network);
  await page.goto('/cluster');
  await page.getByLabel('certificate.json and').setInputFiles(files);
  await page.getByRole('button', { name: 'Sign as a member' }).click(SLOW);
  await page.getByText('has signed').waitFor(SLOW);
  await page.getByLabel('Address of your Safe').fill(wallet.address);
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download for the Transaction Builder' }).click(),
  ]);
  const { chainId, meta, transactions } = JSON.parse(readFileSync(await file.path(), 'utf8'));
  assert.equal(chainId, '560048');
  assert.equal(meta.createdFromSafeAddress.toLowerCase(), wallet.address.toLowerCase());
  const calls = transactions.map(({ to, value, data }) => ({ to, value: BigInt(value), data }));
  const client = reader(network);
  const { status } = await client.waitForTransactionReceipt({ hash: await wallet.execute(calls) });
  assert.equal(status, 'success');
  assert.equal((await keysInModule(network)).length, before.length + 2);
  const of = { address: (await contracts(network)).csm_module, abi: MODULE };
  const id = (await client.readContract({ ...of, functionName: 'getNodeOperatorsCount' })) - 1n;
  const roles = await client.readContract({
    ...of,
    functionName: 'getNodeOperatorManagementProperties',
    args: [id],
  });
  const own = wallet.address.toLowerCase();
  assert.deepEqual([roles[0].toLowerCase(), roles[1].toLowerCase()], [own, own], 'the wallet is its manager');
  return id;
}

/** The manager sees its node operator, and takes what is more than the bond. */
async function claim(page, network, wallet, id) {
  const { csm_accounting, steth } = await contracts(network);
  const client = reader(network);
  const more = parseEther('1');
  const hash = await admin(network).writeContract({
    address: csm_accounting,
    abi: parseAbi(['function depositETH(uint256) payable']),
    functionName: 'depositETH',
    args: [id],
    value: more,
  });
  await client.waitForTransactionReceipt({ hash });
  await page.goto('/monitor');
  await page.getByRole('heading', { name: `Node operator ${id}`, exact: true }).waitFor(SLOW);
  await page.getByRole('button', { name: 'Claim all' }).click(SLOW);
  await steps.sentAs(page, 'done').waitFor(SLOW);
  const held = await client.readContract({
    address: steth,
    abi: parseAbi(['function sharesOf(address) view returns (uint256)']),
    functionName: 'sharesOf',
    args: [wallet.address],
  });
  assert.ok(held > 0n && held <= more, `the contract has ${held} shares`);
  assert.equal(wallet.sent.length, 1);
}

export const tests = [
  {
    name: 'contract wallet: logs in, sends the file of the cluster page, claims',
    chain: 'anvil',
    run: contractWallet,
  },
];
