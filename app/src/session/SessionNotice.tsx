import { useConnection } from 'wagmi';
import { LoginButton } from './LoginButton';
import { Notice } from '../ui/Notice';
import { sameAddress, useSession } from './session';

/** Says so when a session ended under the reader's hands, or belongs to another wallet than the one that is connected. */
export function SessionNotice() {
  const { address } = useConnection();
  const session = useSession();
  if (session.expired) {
    return (
      <Notice kind="warning" title="Your session has ended">
        <p>What you filled in is still here. Log in again to go on.</p>
        <LoginButton />
      </Notice>
    );
  }
  if (session.owner && address && !sameAddress(session.owner, address)) {
    return (
      <Notice kind="warning" title="Another wallet is logged in">
        <p>
          You see what belongs to <span className="mono wrap">{session.owner}</span>, but your wallet is{' '}
          <span className="mono wrap">{address}</span>.
        </p>
        <LoginButton label="Log in with this wallet" />
      </Notice>
    );
  }
  return null;
}
