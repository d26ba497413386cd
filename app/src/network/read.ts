import { zeroAddress, type Address, type Hex, type PublicClient } from 'viem';
import { NETWORK_ABI, TOKEN_ABI } from './abi';

/** What fees are paid in. */
export interface Currency {
  /** Undefined: the chain's own. */
  token: Address | undefined;
  symbol: string;
  decimals: number;
}

/** What the Network contract asks for today. */
export interface Terms {
  /** Per block and operator, with the network's share. */
  operatorFee: bigint;
  minimumBlocks: bigint;
  currency: Currency;
  head: { number: bigint; timestamp: bigint };
}

/** A token names itself: what is no short plain word is not shown. */
export function plainSymbol(symbol: string): string {
  return /^[\w.₮$-]{1,12}$/u.test(symbol) ? symbol : 'tokens';
}

export async function readCurrency(client: PublicClient, token: Address): Promise<Currency> {
  if (token === zeroAddress) return { token: undefined, symbol: 'ETH', decimals: 18 };
  const [symbol, decimals] = await Promise.all([
    client.readContract({ address: token, abi: TOKEN_ABI, functionName: 'symbol' }),
    client.readContract({ address: token, abi: TOKEN_ABI, functionName: 'decimals' }),
  ]);
  return { token, symbol: plainSymbol(symbol), decimals };
}

export async function readTerms(client: PublicClient, network: Address): Promise<Terms> {
  const contract = { address: network, abi: NETWORK_ABI } as const;
  const [operatorFee, minimumBlocks, token, block] = await Promise.all([
    client.readContract({ ...contract, functionName: 'operatorFee', args: [true] }),
    client.readContract({ ...contract, functionName: '_minimumBlocksValidatorPay' }),
    client.readContract({ ...contract, functionName: '_token' }),
    client.getBlock(),
  ]);
  const currency = await readCurrency(client, token);
  return { operatorFee, minimumBlocks, currency, head: { number: block.number, timestamp: block.timestamp } };
}

/** What the Network contract holds of a validator. */
export interface Subscription {
  pubkey: Hex;
  registered: boolean;
  /** The block that the payment ends before. */
  end: bigint;
  /** What a removal would pay back now. */
  refund: bigint;
}

export async function readSubscription(
  client: PublicClient,
  network: Address,
  pubkey: Hex,
): Promise<Subscription> {
  const [, end, , refund, registered] = await client.readContract({
    address: network,
    abi: NETWORK_ABI,
    functionName: '_validatorDatas',
    args: [pubkey],
  });
  return { pubkey, registered, end, refund };
}

/** Reads at a time: as many as a public node takes from one page. */
const READS = 6;

/** Every answer in order, a few questions at a time. */
export async function readAll<T, R>(items: readonly T[], read: (item: T) => Promise<R>): Promise<R[]> {
  const answers = new Array<R>(items.length);
  let next = 0;
  const work = async () => {
    for (let at = next++; at < items.length; at = next++) {
      const item = items[at];
      if (item !== undefined) answers[at] = await read(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(READS, items.length) }, work));
  return answers;
}
