import type { ReactNode } from 'react';
import { Empty } from '../ui/Empty';
import { Spinner } from '../ui/Spinner';
import { LoginButton } from './LoginButton';
import { useSession } from './session';

/** Shows its children to whoever is logged in, and the way there to others. */
export function NeedsSession({ children, why }: { children: ReactNode; why: string }) {
  const session = useSession();
  if (session.owner) return children;
  if (session.loading) return <Spinner label="Looking who is logged in" />;
  return (
    <Empty title="Log in to see this" action={<LoginButton />}>
      {why} You log in by signing a message with your wallet; it costs nothing and sends no transaction.
    </Empty>
  );
}
