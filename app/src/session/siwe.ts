import { createSiweMessage } from 'viem/siwe';
import type { Address } from 'viem';

const STATEMENT = 'See and run your validators. Signing costs nothing and sends no transaction.';

/** The EIP-4361 text for the page's own origin, good for five minutes. */
export function loginMessage(
  address: Address,
  challenge: { nonce: string; chain_id: number },
  at: { host: string; origin: string; now: Date },
): string {
  return createSiweMessage({
    address,
    chainId: challenge.chain_id,
    domain: at.host,
    uri: at.origin,
    nonce: challenge.nonce,
    version: '1',
    statement: STATEMENT,
    issuedAt: at.now,
    expirationTime: new Date(at.now.getTime() + 5 * 60_000),
  });
}
