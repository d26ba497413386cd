// What the chain itself says, past app and service.
import { createPublicClient, createTestClient, createWalletClient, http, parseAbi } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { hoodi } from 'viem/chains';

/** The first account of anvil's well-known mnemonic: it deployed the contracts, and plays Lido's oracles. */
const ADMIN_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

const MODULE = parseAbi([
  'struct NodeOperator { uint32 totalAddedKeys; uint32 withdrawn; uint32 deposited; uint32 vetted }',
  'function getNodeOperator(uint256) view returns (NodeOperator)',
  'function getSigningKeys(uint256, uint256, uint256) view returns (bytes)',
  'function getNodeOperatorsCount() view returns (uint256)',
]);

/** Receipts are looked for more often than on a public chain: here a block comes every second. */
const LOOK_MS = 200;

export const reader = ({ rpc }) =>
  createPublicClient({ chain: hoodi, transport: http(rpc), pollingInterval: LOOK_MS });
export const anvil = ({ rpc }) => createTestClient({ mode: 'anvil', chain: hoodi, transport: http(rpc) });
export const admin = ({ rpc }) =>
  createWalletClient({ account: privateKeyToAccount(ADMIN_KEY), chain: hoodi, transport: http(rpc) });

/** Addresses of the contracts, as the service gives them to the app. */
export async function contracts({ url }) {
  const { lido } = await (await fetch(`${url}/v1/app-config`)).json();
  return lido;
}

/** Keys of every node operator of the module, in hex without 0x. */
export async function keysInModule(network) {
  const of = { address: (await contracts(network)).csm_module, abi: MODULE };
  const client = reader(network);
  const count = await client.readContract({ ...of, functionName: 'getNodeOperatorsCount' });
  const keys = [];
  for (let id = 0n; id < count; id += 1n) {
    const { totalAddedKeys } = await client.readContract({
      ...of,
      functionName: 'getNodeOperator',
      args: [id],
    });
    const args = [id, 0n, BigInt(totalAddedKeys)];
    const bytes = await client.readContract({ ...of, functionName: 'getSigningKeys', args });
    keys.push(...(bytes.slice(2).match(/.{96}/g) ?? []));
  }
  return keys;
}

/** What the service holds to be so of a validator, asked with the page's session. */
export async function facts(page, pubkey) {
  const answer = await page.request.get(`/v1/validators/${pubkey}`);
  return (await answer.json()).facts;
}
