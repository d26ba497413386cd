import { useConnect, useConnectors, type Connector } from 'wagmi';
import { useAppConfig } from '../config/config';
import { Modal } from '../ui/Modal';
import { Notice } from '../ui/Notice';
import { describeError } from './errors';

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** Wallets that announced themselves; the unnamed one only when there is nothing else. */
export function offered(connectors: readonly Connector[], hasInjected: boolean): Connector[] {
  const named = connectors.filter((connector) => connector.id !== 'injected');
  if (named.length > 0) return named;
  return hasInjected ? connectors.filter((connector) => connector.id === 'injected') : [];
}

export function ConnectDialog({ open, onOpenChange }: Props) {
  const config = useAppConfig();
  const connect = useConnect();
  const wallets = offered(useConnectors(), 'ethereum' in window);
  const choose = (connector: Connector) =>
    connect.mutate({ connector, chainId: config.chain_id }, { onSuccess: () => onOpenChange(false) });
  return (
    <Modal
      title="Connect a wallet"
      description="The wallet that will own the validators."
      open={open}
      onOpenChange={onOpenChange}
    >
      {wallets.length === 0 && (
        <Notice kind="info" title="No wallet was found in this browser">
          <p>Install a wallet extension, or open this page in your wallet&apos;s own browser, then reload.</p>
        </Notice>
      )}
      <ul className="wallets">
        {wallets.map((connector) => (
          <li key={connector.uid}>
            <button
              type="button"
              className="wallet"
              disabled={connect.isPending}
              onClick={() => choose(connector)}
            >
              {connector.icon ? (
                <img src={connector.icon.trim()} alt="" width="28" height="28" />
              ) : (
                <span className="wallet-blank" aria-hidden />
              )}
              <span>{connector.id === 'injected' ? 'Browser wallet' : connector.name}</span>
            </button>
          </li>
        ))}
      </ul>
      {connect.isPending && <p role="status">Answer in your wallet…</p>}
      {connect.error && (
        <Notice kind="error" title="The wallet is not connected">
          <p>{describeError(connect.error)}</p>
        </Notice>
      )}
    </Modal>
  );
}
