import { createConfig, http, injected, unstable_connector, type Config } from 'wagmi';
import { hoodi, mainnet } from 'viem/chains';
import type { AppConfig } from '../config/config';
import { phoneWallet } from './phone/connector';

/**
 * Wallets of this browser (EIP-6963) on the one chain that the service serves. Reads go to the service's execution node when it names
 * one, and through the wallet otherwise: no third party is asked. Wallets on phones come beside them where the service names a relay.
 */
export function walletConfig(config: AppConfig): Config {
  const chain = config.chain_id === mainnet.id ? mainnet : hoodi;
  const transport = config.rpc_url ? http(config.rpc_url) : unstable_connector(injected);
  const { walletconnect, rpc_url } = config;
  const phone = walletconnect && rpc_url ? [phoneWallet(walletconnect, chain, rpc_url)] : [];
  return createConfig({
    chains: [chain],
    connectors: [injected(), ...phone],
    multiInjectedProviderDiscovery: true,
    // Not every chain has the contract that bundles reads.
    batch: { multicall: false },
    transports: { [mainnet.id]: transport, [hoodi.id]: transport },
  });
}
