// A wallet on a phone: WalletConnect's own client in the test's process, with the test wallet's key behind it.
import { createRequire } from 'node:module';

// The ES build of the package imports a folder, which Node.js does not resolve.
const { SignClient } = createRequire(import.meta.url)('@walletconnect/sign-client');

function memory() {
  const held = new Map();
  return {
    getKeys: async () => [...held.keys()],
    getEntries: async () => [...held.entries()],
    getItem: async (key) => held.get(key),
    setItem: async (key, value) => void held.set(key, JSON.parse(JSON.stringify(value ?? null))),
    removeItem: async (key) => void held.delete(key),
  };
}

export class Phone {
  /** @param {import('./wallet.mjs').Wallet} wallet */
  static async start(wallet, relayUrl) {
    const client = await SignClient.init({
      projectId: 'phone',
      relayUrl,
      storage: memory(),
      telemetryEnabled: false,
      logger: 'silent',
      // One process has one wallet after another.
      customStoragePrefix: `phone-${wallet.account.address}-${Math.random()}`,
      metadata: { name: 'Test phone', description: '', url: 'https://phone.test', icons: [] },
    });
    client.core.verify.resolve = async () => undefined;
    return new Phone(client, wallet);
  }

  constructor(client, wallet) {
    this.client = client;
    this.wallet = wallet;
    /** Whether proposals are taken. */
    this.takes = true;
    /** Proposals, as they came. */
    this.proposals = [];
    client.on('session_proposal', (proposal) => this.answerProposal(proposal));
    client.on('session_request', (event) => this.answerRequest(event));
  }

  /** As when the camera has read the code. */
  pair(uri) {
    return this.client.pair({ uri });
  }

  async answerProposal({ id, params }) {
    this.proposals.push(params);
    if (!this.takes) {
      await this.client.reject({ id, reason: { code: 5000, message: 'User rejected.' } });
      return;
    }
    const { chains, methods, events } = params.optionalNamespaces.eip155;
    const accounts = chains.map((chain) => `${chain}:${this.wallet.account.address}`);
    await this.client.approve({ id, namespaces: { eip155: { chains, methods, events, accounts } } });
  }

  async answerRequest({ id, topic, params }) {
    const { result, error } = await this.wallet.answer(params.request);
    await this.client.respond({
      topic,
      response: error ? { id, jsonrpc: '2.0', error } : { id, jsonrpc: '2.0', result },
    });
  }

  /** The person ends the session on the phone. */
  async leave() {
    for (const { topic } of this.client.session.getAll())
      await this.client.disconnect({ topic, reason: { code: 6000, message: 'User disconnected.' } });
  }

  async stop() {
    this.client.core.heartbeat.stop();
    await this.client.core.relayer.transportClose();
  }
}
