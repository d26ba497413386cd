import type { Address } from 'viem';
import { useConnection } from 'wagmi';
import { sameAddress } from '../session/session';
import { LoginButton } from '../session/LoginButton';
import { Notice } from '../ui/Notice';

/** Says so while the wallet that could send is not connected, or another one is. */
export function OwnWalletNotice({ owner }: { owner: Address | undefined }) {
  const { address, isConnected } = useConnection();
  if (isConnected && sameAddress(address, owner)) return null;
  return (
    <Notice kind="info" title="Connect the wallet that owns these validators">
      <p>
        Only <span className="mono wrap">{owner}</span> can send this.
      </p>
      {!isConnected && <LoginButton />}
    </Notice>
  );
}
