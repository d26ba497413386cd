import { createContext, use } from 'react';
import type { Address } from 'viem';

export interface SessionState {
  /** The address that is logged in; undefined while nobody is, or while it is not known yet. */
  owner: Address | undefined;
  /** Whether the answer is still awaited. */
  loading: boolean;
  /** The session ended while the page was open. */
  expired: boolean;
  /** Logs the connected wallet in; throws what went wrong. */
  login: () => Promise<Address>;
  logout: () => Promise<void>;
}

export const SessionContext = createContext<SessionState | null>(null);

/** Who is logged in; only below `SessionProvider`. */
export function useSession(): SessionState {
  const session = use(SessionContext);
  if (!session) throw new Error('useSession is used outside of SessionProvider');
  return session;
}

/** Whether two addresses are the same, whatever their case. */
export function sameAddress(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && a.toLowerCase() === b?.toLowerCase();
}
