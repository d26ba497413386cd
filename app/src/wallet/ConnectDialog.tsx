import { lazy, Suspense, useEffect, useState } from 'react';
import { useConnect, useConnectors, type Connector } from 'wagmi';
import { useAppConfig } from '../config/config';
import { Button } from '../ui/Button';
import { Modal } from '../ui/Modal';
import { Notice } from '../ui/Notice';
import { Spinner } from '../ui/Spinner';
import { describeError } from './errors';
import { PAIRING, PHONE, type Cancellable } from './phone/connector';

const Pairing = lazy(() => import('./phone/Pairing'));

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** Wallets that announced themselves, the unnamed one only when there is nothing else; then the one on a phone. */
export function offered(connectors: readonly Connector[], hasInjected: boolean): Connector[] {
  const phone = connectors.filter((connector) => connector.id === PHONE);
  const named = connectors.filter((connector) => connector.id !== 'injected' && connector.id !== PHONE);
  if (named.length > 0) return [...named, ...phone];
  return [...(hasInjected ? connectors.filter((connector) => connector.id === 'injected') : []), ...phone];
}

/** The address of the pairing that a wallet on a phone may take, while there is one. */
function usePairingUri(phone: Connector | undefined) {
  const [uri, setUri] = useState<string>();
  useEffect(() => {
    if (!phone) return;
    const see = ({ type, data }: { type: string; data?: unknown }) => {
      if (type === PAIRING && typeof data === 'string') setUri(data);
    };
    phone.emitter.on('message', see);
    return () => phone.emitter.off('message', see);
  }, [phone]);
  return { uri, forget: () => setUri(undefined) };
}

export function ConnectDialog({ open, onOpenChange }: Props) {
  const config = useAppConfig();
  // Whoever shows this dialog takes it away as soon as a wallet is connected: what is left to do must not hang on it.
  const connect = useConnect({ mutation: { onSuccess: () => onOpenChange(false) } });
  const wallets = offered(useConnectors(), 'ethereum' in window);
  const phone = wallets.find(({ id }) => id === PHONE);
  const { uri, forget } = usePairingUri(phone);
  const pairing = phone !== undefined && connect.isPending && connect.variables.connector === phone;
  const choose = (connector: Connector) => {
    forget();
    connect.mutate({ connector, chainId: config.chain_id });
  };
  const giveUp = () => {
    (phone as unknown as Cancellable).cancel();
    connect.reset();
  };
  const change = (now: boolean) => {
    if (!now && pairing) giveUp();
    onOpenChange(now);
  };
  return (
    <Modal
      title={pairing ? 'Pair a wallet on a phone' : 'Connect a wallet'}
      description="The wallet that will own the validators."
      open={open}
      onOpenChange={change}
    >
      {pairing ? (
        <>
          {uri ? (
            <Suspense fallback={<Spinner label="Drawing the code" />}>
              <Pairing uri={uri} />
            </Suspense>
          ) : (
            <Spinner label="Reaching the relay" />
          )}
          <Button onClick={giveUp}>Choose another wallet</Button>
        </>
      ) : (
        <Choice wallets={wallets} busy={connect.isPending} choose={choose} />
      )}
      {connect.isPending && !pairing && <p role="status">Answer in your wallet…</p>}
      {connect.error && (
        <Notice kind="error" title="The wallet is not connected">
          <p>{describeError(connect.error)}</p>
        </Notice>
      )}
    </Modal>
  );
}

interface ChoiceProps {
  wallets: readonly Connector[];
  busy: boolean;
  choose: (connector: Connector) => void;
}

const NAMES: Record<string, string> = {
  injected: 'Browser wallet',
  [PHONE]: 'Wallet on a phone (WalletConnect)',
};

function Choice({ wallets, busy, choose }: ChoiceProps) {
  return (
    <>
      {wallets.every(({ id }) => id === PHONE) && (
        <Notice kind="info" title="No wallet was found in this browser">
          <p>Install a wallet extension, or open this page in your wallet&apos;s own browser, then reload.</p>
        </Notice>
      )}
      <ul className="wallets">
        {wallets.map((connector) => (
          <li key={connector.uid}>
            <button type="button" className="wallet" disabled={busy} onClick={() => choose(connector)}>
              {connector.icon ? (
                <img src={connector.icon.trim()} alt="" width="28" height="28" />
              ) : (
                <span
                  className={connector.id === PHONE ? 'wallet-blank wallet-phone' : 'wallet-blank'}
                  aria-hidden
                />
              )}
              <span>{NAMES[connector.id] ?? connector.name}</span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
