// A wallet in the page: an EIP-1193 provider that announces itself by EIP-6963, with the key in the test's own process.
// The page asks, the test's process answers through a binding: so a test can refuse, change the chain, or count signatures.
import { createTestClient, createWalletClient, hexToString, http, parseEther } from 'viem';
import { hoodi } from 'viem/chains';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

export class Wallet {
  /** @param {`0x${string}`} key @param {number} chainId */
  constructor(key, chainId, rpc) {
    this.account = privateKeyToAccount(key);
    this.chainId = chainId;
    /** Where transactions are sent to. */
    this.rpc = rpc;
    /** Answers about transactions that never reach the page, although they are sent. */
    this.loses = 0;
    /** Hashes of what was sent. */
    this.sent = [];
    /** Called with a transaction before it goes out; a test can hold it, or send something else before. */
    this.beforeSending = undefined;
    /** Methods that the person declines, once each. */
    this.declines = [];
    /** A method that the person leaves unanswered once, and who is told. */
    this.ignored = undefined;
    /** Every signature that was given. */
    this.signatures = [];
    /** Every request, in order. */
    this.asked = [];
    /** Whether the page may see the account without asking. */
    this.connected = false;
  }

  async attach(context) {
    await context.exposeBinding('__wallet', (_source, request) => this.answer(request));
    await context.addInitScript(install);
  }

  async answer({ method, params = [] }) {
    this.asked.push({ method, params });
    if (this.declines[0] === method) {
      this.declines.shift();
      return { error: { code: 4001, message: 'User rejected the request.' } };
    }
    if (this.ignored?.method === method) {
      this.ignored.tell();
      this.ignored = undefined;
      await new Promise(() => undefined);
    }
    try {
      return { result: await this.perform(method, params) };
    } catch (error) {
      return { error: { code: error.code ?? -32603, message: error.message } };
    }
  }

  async perform(method, params) {
    switch (method) {
      case 'eth_requestAccounts':
      case 'wallet_requestPermissions':
        this.connected = true;
        return method === 'eth_requestAccounts'
          ? [this.account.address]
          : [{ parentCapability: 'eth_accounts', caveats: [] }];
      case 'eth_accounts':
        return this.connected ? [this.account.address] : [];
      case 'eth_chainId':
        return `0x${this.chainId.toString(16)}`;
      case 'wallet_revokePermissions':
        this.connected = false;
        return null;
      case 'wallet_switchEthereumChain':
        this.chainId = Number(params[0].chainId);
        return null;
      case 'personal_sign':
        return this.kept(await this.account.signMessage({ message: hexToString(params[0]) }));
      case 'eth_signTypedData_v4':
        return this.kept(await this.account.signTypedData(JSON.parse(params[1])));
      case 'eth_sendTransaction':
        return this.send(params[0]);
      default:
        // What a wallet does not answer itself, the chain's node does.
        if (this.rpc) return this.client.request({ method, params });
        throw Object.assign(new Error(`the test wallet does not know ${method}`), { code: -32601 });
    }
  }

  kept(signature) {
    this.signatures.push(signature);
    return signature;
  }

  /** The next question of this kind is never answered; resolves when it is asked. */
  ignore(method) {
    return new Promise((tell) => (this.ignored = { method, tell }));
  }

  /** The next transaction waits in the wallet: `asked` says when, `confirm` lets it go. */
  hold() {
    let confirm;
    const asked = new Promise((isAsked) => {
      this.beforeSending = () => {
        this.beforeSending = undefined;
        isAsked();
        return new Promise((go) => (confirm = go));
      };
    });
    return { asked, confirm: () => confirm() };
  }

  get client() {
    const chain = { ...hoodi, id: this.chainId };
    return createWalletClient({ account: this.account, chain, transport: http(this.rpc) });
  }

  /** Signs and sends, as a wallet does after the person has confirmed. */
  async send({ to, data, value, gas }) {
    const transaction = {
      to,
      data,
      value: BigInt(value ?? 0),
      gas: gas === undefined ? undefined : BigInt(gas),
    };
    await this.beforeSending?.(transaction);
    const hash = await this.client.sendTransaction(transaction);
    this.sent.push(hash);
    if (this.loses > 0) {
      this.loses -= 1;
      await new Promise(() => undefined);
    }
    return hash;
  }

  count(method) {
    return this.asked.filter((request) => request.method === method).length;
  }
}

/** A wallet that has never been on this chain, with ether: what others did there is not in its way. */
export async function ownWallet(rpc) {
  const wallet = new Wallet(generatePrivateKey(), hoodi.id, rpc);
  const chain = createTestClient({ mode: 'anvil', transport: http(rpc) });
  await chain.setBalance({ address: wallet.account.address, value: parseEther('1000') });
  return wallet;
}

// Runs in the page.
function install() {
  const listeners = new Map();
  const emit = (event, value) => (listeners.get(event) ?? []).forEach((listener) => listener(value));
  const provider = {
    on: (event, listener) => void listeners.set(event, [...(listeners.get(event) ?? []), listener]),
    removeListener: (event, listener) =>
      void listeners.set(
        event,
        (listeners.get(event) ?? []).filter((one) => one !== listener),
      ),
    async request(request) {
      const answer = await window.__wallet(JSON.parse(JSON.stringify(request)));
      if (answer.error) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
      if (request.method === 'wallet_switchEthereumChain') emit('chainChanged', request.params[0].chainId);
      return answer.result;
    },
  };
  window.__changeChain = (chainId) => emit('chainChanged', `0x${chainId.toString(16)}`);
  const icon =
    'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" rx="2" fill="teal"/></svg>';
  const detail = Object.freeze({
    info: {
      uuid: '350670db-19fa-4704-a166-e52e178b59d2',
      name: 'Test Wallet',
      icon,
      rdns: 'example.test-wallet',
    },
    provider,
  });
  const announce = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail }));
  window.addEventListener('eip6963:requestProvider', announce);
  announce();
}
