import { createTestClient, createWalletClient, http, publicActions, type Address, type Hex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { anvil } from 'viem/chains';
import { inject } from 'vitest';
import type { VerifiedKey } from '../../src/csm/verified';
import type { Schemas } from '../../src/api/client';
import { credentialsOf, readContracts } from '../../src/csm/contracts';

export const ETH = 10n ** 18n;
export const deployment = () => inject('csm');

/** The account that deployed; it plays Lido's oracles and councils. */
export const ADMIN: Address = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266';

export function connect() {
  const chain = { ...anvil, rpcUrls: { default: { http: [deployment().url] } } };
  const transport = http(deployment().url);
  const client = createTestClient({
    chain,
    mode: 'anvil',
    transport,
    pollingInterval: 50,
    cacheTime: 0,
  }).extend(publicActions);
  return { client, chain, transport };
}

/** What the service would say of where things are. */
export function lido(): Schemas['LidoAddresses'] {
  const { module, accounting, locator, permissionlessGate, icsGate, idvtcGate } = deployment();
  return {
    csm_module: module,
    csm_accounting: accounting,
    locator,
    csm_permissionless_gate: permissionlessGate,
    csm_ics_gate: icsGate,
    csm_idvtc_gate: idvtcGate,
    el_rewards_vault: ADMIN,
    withdrawal_vault: ADMIN,
  };
}

export async function world() {
  const { client, chain, transport } = connect();
  const contracts = await readContracts(client, lido());
  /** A new account with 10,000 ether. */
  const newWallet = async () => {
    const account = privateKeyToAccount(generatePrivateKey());
    await client.setBalance({ address: account.address, value: 10_000n * ETH });
    return createWalletClient({ account, chain, transport });
  };
  let made = 0;
  /** Keys that nobody has; the double looks at their lengths alone, as the real module does. */
  const newKeys = (count: number, vault = contracts.withdrawalVault) =>
    Array.from({ length: count }, (): VerifiedKey => {
      const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(48))).toString('hex');
      const key = {
        pubkey: `0x${bytes}`,
        signature: `0x${(made += 1).toString(16).padStart(192, '0')}`,
        withdrawalCredentials: credentialsOf(vault),
        ceremonyId: `0x${'1'.repeat(64)}`,
      };
      return key as VerifiedKey;
    });
  await client.impersonateAccount({ address: ADMIN });
  const adminWallet = createWalletClient({ account: ADMIN, chain, transport });
  /** Calls as the account that plays Lido's councils. */
  const asAdmin = async (to: Address, data: Hex) =>
    client.waitForTransactionReceipt({ hash: await adminWallet.sendTransaction({ to, data }) });
  return { client, contracts, newWallet, newKeys, asAdmin };
}
export type World = Awaited<ReturnType<typeof world>>;
export type TestWallet = Awaited<ReturnType<World['newWallet']>>;
