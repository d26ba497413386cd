import { DropdownMenu } from 'radix-ui';
import { useState } from 'react';
import { useConnection, useDisconnect } from 'wagmi';
import { sameAddress, useSession } from '../session/session';
import { Button } from '../ui/Button';
import { useToast } from '../ui/Toasts';
import { ConnectDialog } from './ConnectDialog';
import { describeError } from './errors';

const short = (address: string) => `${address.slice(0, 6)}…${address.slice(-4)}`;

/** The wallet in the corner: connect, or who is connected and logged in. */
export function WalletMenu() {
  const { address, isConnected } = useConnection();
  const disconnect = useDisconnect();
  const session = useSession();
  const toast = useToast();
  const [connecting, setConnecting] = useState(false);
  const loggedIn = sameAddress(session.owner, address);
  const run = (action: () => Promise<unknown>) => () =>
    void action().catch((error: unknown) => toast(describeError(error)));
  const leave = async () => {
    if (session.owner) await session.logout();
    disconnect.mutate({});
  };
  if (!isConnected || !address) {
    return (
      <>
        <Button kind="primary" onClick={() => setConnecting(true)}>
          Connect wallet
        </Button>
        <ConnectDialog open={connecting} onOpenChange={setConnecting} />
      </>
    );
  }
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger className="button button-plain wallet-button">
        <span className={loggedIn ? 'dot dot-good' : 'dot'} aria-hidden />
        <span className="mono">{short(address)}</span>
        <span className="sr-only">{loggedIn ? ', logged in' : ', not logged in'}</span>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end" sideOffset={6}>
          <DropdownMenu.Label className="menu-label mono">{address}</DropdownMenu.Label>
          {loggedIn ? (
            <DropdownMenu.Item className="menu-item" onSelect={run(session.logout)}>
              Log out
            </DropdownMenu.Item>
          ) : (
            <DropdownMenu.Item className="menu-item" onSelect={run(session.login)}>
              Log in
            </DropdownMenu.Item>
          )}
          <DropdownMenu.Item className="menu-item" onSelect={run(leave)}>
            Disconnect
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
