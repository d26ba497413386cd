import { useConnection, useSwitchChain } from 'wagmi';
import { networkName, useAppConfig } from '../config/config';
import { Button } from '../ui/Button';
import { Notice } from '../ui/Notice';
import { describeError } from './errors';

/** Says so while the wallet is on another chain than the service. */
export function ChainNotice() {
  const config = useAppConfig();
  const { chainId, isConnected } = useConnection();
  const switching = useSwitchChain();
  if (!isConnected || chainId === config.chain_id) return null;
  const name = networkName(config);
  return (
    <Notice kind="warning" title={`Your wallet is on another network`}>
      <p>
        This service makes validators for {name} (chain {config.chain_id}); your wallet is on chain {chainId}.
      </p>
      {switching.error && <p className="field-error">{describeError(switching.error)}</p>}
      <Button busy={switching.isPending} onClick={() => switching.mutate({ chainId: config.chain_id })}>
        Switch to {name}
      </Button>
    </Notice>
  );
}
