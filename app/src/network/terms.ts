import { useQuery } from '@tanstack/react-query';
import { zeroAddress, type Address, type Hex } from 'viem';
import { TOKEN_ABI } from './abi';
import { useReader } from './chain';
import { readAll, readSubscription, readTerms, type Currency } from './read';

export { readCurrency, type Currency, type Subscription, type Terms } from './read';

export function useTerms(network: Address | undefined) {
  const client = useReader();
  return useQuery({
    queryKey: ['chain-read', 'terms', network],
    queryFn: () => readTerms(client, network ?? zeroAddress),
    enabled: network !== undefined,
    refetchInterval: 12_000,
  });
}

/** Subscriptions as the contract has them now, in the order of the keys. */
export function useSubscriptions(network: Address | undefined, pubkeys: readonly Hex[]) {
  const client = useReader();
  return useQuery({
    queryKey: ['chain-read', 'subscriptions', network, pubkeys],
    queryFn: () => readAll(pubkeys, (pubkey) => readSubscription(client, network ?? zeroAddress, pubkey)),
    enabled: network !== undefined && pubkeys.length > 0,
    refetchInterval: 24_000,
  });
}

export interface Wallet {
  balance: bigint;
  /** What the spender may take; of the chain's own currency it needs no leave. */
  allowance: bigint | undefined;
}

/** What the account has of a currency, and what the contract may take of it. */
export function useWalletFunds(
  account: Address | undefined,
  currency: Currency | undefined,
  spender: Address | undefined,
) {
  const client = useReader();
  return useQuery({
    queryKey: ['chain-read', 'funds', account, currency?.token ?? 'native', spender],
    queryFn: async (): Promise<Wallet> => {
      const address = account ?? zeroAddress;
      const token = currency?.token;
      if (token === undefined) return { balance: await client.getBalance({ address }), allowance: undefined };
      const contract = { address: token, abi: TOKEN_ABI } as const;
      const [balance, allowance] = await Promise.all([
        client.readContract({ ...contract, functionName: 'balanceOf', args: [address] }),
        client.readContract({
          ...contract,
          functionName: 'allowance',
          args: [address, spender ?? zeroAddress],
        }),
      ]);
      return { balance, allowance };
    },
    enabled: account !== undefined && currency !== undefined && spender !== undefined,
    refetchInterval: 12_000,
  });
}
