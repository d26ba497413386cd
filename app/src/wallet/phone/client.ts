// Loaded when somebody chooses a wallet on a phone, and not before.
import { SignClient } from '@walletconnect/sign-client';
import { getAddress, isAddress, UserRejectedRequestError, type Address } from 'viem';
import { MemoryStorage } from './storage';

type Client = InstanceType<typeof SignClient>;
type Options = NonNullable<Parameters<typeof SignClient.init>[0]>;
export type Session = ReturnType<Client['session']['get']>;

export interface RelaySettings {
  project_id: string;
  relay_url: string;
}

/** What the app asks of a wallet; nothing else goes to the phone. */
export const METHODS = ['personal_sign', 'eth_signTypedData_v4', 'eth_sendTransaction'];
/** Codes by which wallets say that the person declined: EIP-1193, and WalletConnect's own. */
const DECLINED = [4001, 5000, 5001, 5002];
const LEAVING = { code: 6000, message: 'User disconnected.' };

/** Somebody closed the dialog before the wallet answered. */
export class PairingCancelled extends Error {
  override readonly name = 'PairingCancelled';
  constructor() {
    super('Pairing was cancelled.');
  }
}

/**
 * Starts WalletConnect's client so that it asks nobody but the relay and tells the relay nothing but sealed messages: no telemetry, no
 * attestation of this page by a third party, no contract addresses and methods in clear beside a message.
 */
export async function startClient(settings: RelaySettings): Promise<Client> {
  // The library names a class of its own, and uses what has its methods.
  const storage = new MemoryStorage() as unknown as NonNullable<Options['storage']>;
  const client = await SignClient.init({
    projectId: settings.project_id,
    relayUrl: settings.relay_url,
    storage,
    telemetryEnabled: false,
    logger: 'silent',
    metadata: {
      name: 'Cluster Node',
      description: 'Validators run by several operators together',
      url: window.location.origin,
      icons: [`${window.location.origin}/icon.svg`],
    },
  });
  const { relayer, verify } = client.core;
  verify.register = () => Promise.resolve('');
  const publish = relayer.publish.bind(relayer);
  relayer.publish = (topic, message, options) => {
    const sealed = { ...options };
    delete sealed.tvf;
    delete sealed.attestation;
    return publish(topic, message, sealed);
  };
  return client;
}

/** Makes a pairing, hands out its address, and waits until a wallet has taken it: five minutes at most. */
export async function pair(
  client: Client,
  chainId: number,
  onUri: (uri: string) => void,
  signal: AbortSignal,
): Promise<Session> {
  const chain = `eip155:${chainId}`;
  const { uri, approval } = await proposed(client, chain);
  const cancelled = new Promise<never>((_, reject) => {
    const cancel = () => reject(new PairingCancelled());
    if (signal.aborted) cancel();
    signal.addEventListener('abort', cancel, { once: true });
  });
  if (uri && !signal.aborted) onUri(uri);
  const approved = approval();
  // A wallet that answers a pairing which nobody waits for any more is told so.
  approved.then(
    (session) => signal.aborted && void leave(client, session.topic),
    () => undefined,
  );
  const session = await Promise.race([approved, cancelled]).catch((error: unknown) => {
    throw walletError(error);
  });
  if (accountsOn(session, chainId).length === 0) {
    await leave(client, session.topic);
    throw new Error('The wallet has no account on this network.');
  }
  return session;
}

async function proposed(client: Client, chain: string) {
  try {
    return await client.connect({
      optionalNamespaces: {
        eip155: { chains: [chain], methods: METHODS, events: ['accountsChanged', 'chainChanged'] },
      },
    });
  } catch {
    throw new Error(
      'The relay for wallets on phones cannot be reached. Check your connection, then try again.',
    );
  }
}

/** The session's accounts on a chain, checksummed. */
export function accountsOn(session: Session, chainId: number): Address[] {
  const accounts = Object.values(session.namespaces).flatMap((namespace) => namespace.accounts);
  return accounts.flatMap((account) => {
    const [kind, chain, address] = account.split(':');
    return kind === 'eip155' && chain === String(chainId) && address && isAddress(address, { strict: false })
      ? [getAddress(address)]
      : [];
  });
}

/** Asks the wallet. */
export async function ask(
  client: Client,
  topic: string,
  chainId: number,
  request: { method: string; params?: unknown },
): Promise<unknown> {
  try {
    return await client.request({
      topic,
      chainId: `eip155:${chainId}`,
      request: { method: request.method, params: request.params ?? [] },
    });
  } catch (error) {
    throw walletError(error);
  }
}

/** Ends a session; the wallet hears of it when the relay does. */
export async function leave(client: Client, topic: string): Promise<void> {
  await client.disconnect({ topic, reason: LEAVING }).catch(() => undefined);
}

/** What came back over the relay is a plain object with a code, or an error of the client. */
function walletError(error: unknown): Error {
  const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown;
    message?: unknown;
  };
  const words = typeof message === 'string' && message !== '' ? message : 'The wallet did not say why.';
  if (DECLINED.includes(Number(code))) return new UserRejectedRequestError(new Error(words));
  if (error instanceof PairingCancelled) return error;
  if (words === 'Proposal expired')
    return new Error('No wallet took the code in five minutes. Make a new one.');
  return Object.assign(new Error(words), { code });
}
