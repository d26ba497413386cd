// The test wallet on a chain: it signs transactions and hands them to the chain's node, as browsers' wallets do.
import { createWalletClient, http } from 'viem';
import { hoodi } from 'viem/chains';
import { Wallet } from './wallet.mjs';

export class ChainWallet extends Wallet {
  constructor(key, rpcUrl, chainId = hoodi.id) {
    super(key, chainId);
    this.rpcUrl = rpcUrl;
    this.client = createWalletClient({ account: this.account, chain: hoodi, transport: http(rpcUrl) });
    /** Hashes of what was sent. */
    this.sent = [];
    /** Called before a transaction goes out; a test can hold it, or send something else before. */
    this.beforeSend = undefined;
  }

  async perform(method, params) {
    if (method === 'eth_sendTransaction') {
      const [{ to, data, value, gas }] = params;
      const transaction = {
        to,
        data,
        value: BigInt(value ?? 0),
        gas: gas === undefined ? undefined : BigInt(gas),
      };
      await this.beforeSend?.(transaction);
      const hash = await this.client.sendTransaction(transaction);
      this.sent.push(hash);
      return hash;
    }
    try {
      return await super.perform(method, params);
    } catch (error) {
      if (error.code !== -32601) throw error;
      return this.client.request({ method, params });
    }
  }
}
