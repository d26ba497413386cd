import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { useConnection } from 'wagmi';
import { Button } from '../ui/Button';
import { ConnectDialog } from '../wallet/ConnectDialog';
import { describeError } from '../wallet/errors';
import { useSession } from './session';

/** Connects when nothing is connected, and logs in otherwise. */
export function LoginButton({ label = 'Log in' }: { label?: string }) {
  // After a reload the wallet is known before it can be asked anything.
  const { isConnected, isReconnecting } = useConnection();
  const session = useSession();
  const login = useMutation({ mutationFn: session.login });
  const [connecting, setConnecting] = useState(false);
  if (!isConnected) {
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
    <>
      <Button kind="primary" busy={login.isPending || isReconnecting} onClick={() => login.mutate()}>
        {login.isPending ? 'Sign in your wallet' : label}
      </Button>
      {login.error && (
        <p className="field-error" role="alert">
          {describeError(login.error)}
        </p>
      )}
    </>
  );
}
