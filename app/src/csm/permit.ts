import { domainSeparator, parseSignature, type Address, type Hex, type PublicClient } from 'viem';
import { STETH } from './abi';
import type { Permit } from './call';

const TYPES = {
  Permit: [
    { name: 'owner', type: 'address' },
    { name: 'spender', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
} as const;

/** stETH has version 2, wstETH version 1. */
const VERSIONS = ['2', '1'];
/** A permission that is not used within this time is worth nothing. */
const DEADLINE_S = 1_800n;

export type PermitData = Awaited<ReturnType<typeof permitData>>;

/**
 * What the wallet signs so that Accounting may take `value` of a token. The domain has to be the one that the token itself uses; undefined
 * when it is another one, and an approval by transaction is the way then.
 */
export async function permitData(
  client: PublicClient,
  token: Address,
  owner: Address,
  spender: Address,
  value: bigint,
) {
  const of = { address: token, abi: STETH } as const;
  const [name, separator, nonce, chainId, block] = await Promise.all([
    client.readContract({ ...of, functionName: 'name' }),
    client.readContract({ ...of, functionName: 'DOMAIN_SEPARATOR' }),
    client.readContract({ ...of, functionName: 'nonces', args: [owner] }),
    client.getChainId(),
    client.getBlock(),
  ]);
  const domain = VERSIONS.map((version) => ({ name, version, chainId, verifyingContract: token })).find(
    (one) => domainSeparator({ domain: one }) === separator,
  );
  if (!domain) return undefined;
  const message = { owner, spender, value, nonce, deadline: block.timestamp + DEADLINE_S };
  return { domain, types: TYPES, primaryType: 'Permit', message } as const;
}

/** The permission as the contracts take it. */
export function permitOf({ message }: NonNullable<PermitData>, signature: Hex): Permit {
  const { r, s, yParity } = parseSignature(signature);
  return { value: message.value, deadline: message.deadline, v: 27 + yParity, r, s };
}
