// Where cards stand in tests: a wallet and a chain that answer what the test says, through the real wagmi and viem.
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import type { ReactNode } from 'react';
import {
  custom,
  decodeFunctionData,
  encodeFunctionResult,
  type Abi,
  type Address,
  type EIP1193Provider,
  type Hex,
} from 'viem';
import { hoodi } from 'viem/chains';
import { createConfig, injected, WagmiProvider } from 'wagmi';
import { connect } from 'wagmi/actions';
import { ConfigContext } from '../../src/config/config';
import { SessionContext } from '../../src/session/session';
import { CONFIG } from '../support';

export const OWNER: Address = '0x00000000000000000000000000000000000000AA';

export interface Contract {
  abi: Abi;
  /** By the name of a function: what it answers. */
  answers: Record<string, unknown>;
}

export interface Sent {
  to: Address;
  value: bigint;
  functionName: string;
  args: readonly unknown[];
}

export interface TypedData {
  primaryType: string;
  message: Record<string, unknown>;
}

export interface Stage {
  contracts: Record<Address, Contract>;
  /** Wei of the wallet. */
  balance?: bigint;
  /** Who is logged in. */
  owner?: Address;
  /** Whose wallet is connected; the owner's unless said otherwise. */
  account?: Address;
}

/** A signature that a wallet might give. */
export const SIGNATURE: Hex = `0x${'51'.repeat(65)}`;

/** Shows `children` with a connected wallet. What the wallet was asked to send is in `sent`, and what it was asked to sign in `signed`. */
export async function show(
  children: ReactNode,
  { contracts, balance = 10n ** 21n, owner = OWNER, account = owner }: Stage,
) {
  const sent: Sent[] = [];
  const signed: TypedData[] = [];
  const contractAt = (address: string) =>
    Object.entries(contracts).find(([one]) => one.toLowerCase() === address.toLowerCase())?.[1];
  const call = ({ to, data }: { to: Address; data: Hex }): Hex => {
    const contract = contractAt(to);
    if (!contract) throw new Error(`the test has no contract at ${to}`);
    const { functionName } = decodeFunctionData({ abi: contract.abi, data });
    if (!(functionName in contract.answers)) return '0x';
    return encodeFunctionResult({ abi: contract.abi, functionName, result: contract.answers[functionName] });
  };
  const send = ({ to, data, value }: { to: Address; data: Hex; value?: Hex }): Hex => {
    const { functionName, args = [] } = decodeFunctionData({ abi: contractAt(to)?.abi ?? [], data });
    sent.push({ to, value: BigInt(value ?? 0), functionName, args });
    return `0x${'5e'.repeat(32)}`;
  };
  const answers: Record<string, (params: never) => unknown> = {
    eth_chainId: () => '0x88bb0',
    eth_accounts: () => [account],
    eth_requestAccounts: () => [account],
    eth_getBalance: () => `0x${balance.toString(16)}`,
    eth_estimateGas: () => '0x30d40',
    eth_blockNumber: () => '0x1',
    eth_getBlockByNumber: () => ({ number: '0x1', timestamp: '0x6ab13800', transactions: [] }),
    eth_getTransactionReceipt: () => null,
    eth_getTransactionByHash: () => null,
    eth_call: ([request]: [{ to: Address; data: Hex }]) => call(request),
    eth_signTypedData_v4: ([, text]: [Address, string]) => {
      signed.push(JSON.parse(text) as TypedData);
      return SIGNATURE;
    },
    eth_sendTransaction: ([request]: [{ to: Address; data: Hex; value?: Hex }]) => send(request),
  };
  const provider = {
    on: () => undefined,
    removeListener: () => undefined,
    request: ({ method, params }: { method: string; params?: unknown }) => {
      const answer = answers[method];
      return answer
        ? Promise.resolve().then(() => answer(params as never))
        : Promise.reject(Object.assign(new Error(`the test does not know ${method}`), { code: -32601 }));
    },
  } as unknown as EIP1193Provider;
  const wallet = injected({ target: { id: 'test', name: 'Test', provider: () => provider } });
  const config = createConfig({
    chains: [hoodi],
    connectors: [wallet],
    multiInjectedProviderDiscovery: false,
    batch: { multicall: false },
    storage: null,
    transports: { [hoodi.id]: custom(provider, { retryCount: 0 }) },
  });
  await connect(config, { connector: config.connectors[0] });
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const session = {
    owner,
    loading: false,
    expired: false,
    login: () => Promise.resolve(owner),
    logout: () => Promise.resolve(),
  };
  const shown = render(
    <WagmiProvider config={config} reconnectOnMount={false}>
      <QueryClientProvider client={queries}>
        <ConfigContext value={CONFIG}>
          <SessionContext value={session}>{children}</SessionContext>
        </ConfigContext>
      </QueryClientProvider>
    </WagmiProvider>,
  );
  return { ...shown, sent, signed };
}
