import { http, numberToHex, SwitchChainError, type Chain, type EIP1193RequestFn } from 'viem';
import { createConnector } from 'wagmi';
import type * as Phone from './client';

export const PHONE = 'walletConnect';
/** Message of the connector that carries the address of a pairing. */
export const PAIRING = 'display_uri';

type Client = Awaited<ReturnType<typeof Phone.startClient>>;

/** What the app holds of a wallet on a phone while this page is open. */
interface Held {
  phone: typeof Phone;
  client: Client;
  session?: Phone.Session;
}

/** The person gave up before a wallet answered. */
export interface Cancellable extends Record<string, unknown> {
  cancel: () => void;
}

/**
 * A wallet on a phone, over WalletConnect's relay. The library is fetched when somebody asks for it. Signatures and transactions go to
 * the wallet; everything else is asked of the service's execution node, because such wallets do not read the chain for a page.
 */
export function phoneWallet(settings: Phone.RelaySettings, chain: Chain, rpcUrl: string) {
  const read = http(rpcUrl)({ chain });
  let starting: Promise<Held> | undefined;
  let held: Held | undefined;
  let chainId: number = chain.id;
  let pairing = new AbortController();

  return createConnector<Provider, Cancellable>((config) => {
    const accounts = () => (held?.session ? held.phone.accountsOn(held.session, chain.id) : []);
    const gone = () => {
      if (held) delete held.session;
      config.emitter.emit('disconnect');
    };
    const start = (): Promise<Held> => {
      starting ??= started(settings, (now, event) => {
        if (event.topic !== now.session.topic) return;
        if (event.kind === 'session') now.session = event.session;
        if (event.kind === 'chain') chainId = event.chainId;
        const left = event.kind === 'gone' ? [] : now.phone.accountsOn(now.session, chain.id);
        if (left.length === 0) gone();
        else config.emitter.emit('change', { accounts: left, chainId });
      });
      return starting.catch((error: unknown) => {
        starting = undefined;
        throw error;
      });
    };
    const request = async ({ method, params }: { method: string; params?: unknown }) => {
      if (method === 'eth_accounts' || method === 'eth_requestAccounts') return accounts();
      if (method === 'eth_chainId') return numberToHex(chainId);
      if (!held?.session) throw new Error('The wallet on the phone is not connected.');
      // Every question names its chain: there is nothing to switch.
      if (method === 'wallet_switchEthereumChain') return null;
      if (!held.phone.METHODS.includes(method)) return read.request({ method, params });
      return held.phone.ask(held.client, held.session.topic, chain.id, { method, params });
    };
    const provider: Provider = { request: request as EIP1193RequestFn };

    return {
      id: PHONE,
      name: 'WalletConnect',
      type: PHONE,
      async connect() {
        pairing = new AbortController();
        const { signal } = pairing;
        held = await start();
        const show = (uri: string) => config.emitter.emit('message', { type: PAIRING, data: uri });
        held.session ??= await held.phone.pair(held.client, chain.id, show, signal);
        chainId = chain.id;
        // Which of the two forms is asked for is not known to the type of this function; the app never asks for capabilities.
        return { accounts: accounts() as never, chainId };
      },
      cancel: () => pairing.abort(),
      async disconnect() {
        const topic = held?.session?.topic;
        if (held) delete held.session;
        if (held && topic) await held.phone.leave(held.client, topic);
      },
      getAccounts: () => Promise.resolve(accounts()),
      getChainId: () => Promise.resolve(chainId),
      getProvider: () => Promise.resolve(provider),
      // Nothing is kept over a reload.
      isAuthorized: () => Promise.resolve(accounts().length > 0),
      switchChain(parameters) {
        // Every question names its chain, so that the one the wallet shows does not matter.
        if (parameters.chainId !== chain.id)
          return Promise.reject(
            new SwitchChainError(new Error('The wallet was paired for another network.')),
          );
        chainId = chain.id;
        config.emitter.emit('change', { chainId });
        return Promise.resolve(chain);
      },
      onAccountsChanged: () => undefined,
      onChainChanged: () => undefined,
      onDisconnect: gone,
    };
  });
}

interface Provider {
  request: EIP1193RequestFn;
}

type Event = { topic: string } & (
  { kind: 'gone' } | { kind: 'session'; session: Phone.Session } | { kind: 'chain'; chainId: number }
);

/** Fetches the library, starts its client and listens to what wallets say unasked. */
async function started(
  settings: Phone.RelaySettings,
  said: (held: Held & { session: Phone.Session }, event: Event) => void,
): Promise<Held> {
  const phone = await import('./client');
  const client = await phone.startClient(settings);
  const held: Held = { phone, client };
  const tell = (event: Event) => {
    if (held.session) said(held as Held & { session: Phone.Session }, event);
  };
  client.on('session_delete', ({ topic }) => tell({ topic, kind: 'gone' }));
  client.on('session_expire', ({ topic }) => tell({ topic, kind: 'gone' }));
  client.on('session_update', ({ topic }) =>
    tell({ topic, kind: 'session', session: client.session.get(topic) }),
  );
  client.on('session_event', ({ topic, params: { event } }) => {
    const chainId = Number(event.data);
    if (event.name === 'chainChanged' && Number.isSafeInteger(chainId))
      tell({ topic, kind: 'chain', chainId });
  });
  return held;
}
