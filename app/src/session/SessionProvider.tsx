import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, type ReactNode } from 'react';
import type { Address } from 'viem';
import { useConfig } from 'wagmi';
import { getConnection, signMessage } from 'wagmi/actions';
import { api, unwrap } from '../api/client';
import { SESSION_KEY } from '../api/query';
import { learnKey } from '../generate/paid/ownerKey';
import { SessionContext, type SessionState } from './session';
import { loginMessage } from './siwe';

/** Longest time that a browser's timer can wait; a session that lives longer is looked at again then. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The session is a cookie that no script can read; what is known here is only whose it is and when it ends. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const wallets = useConfig();
  const queries = useQueryClient();
  const session = useQuery({
    queryKey: SESSION_KEY,
    queryFn: ({ signal }) => unwrap(api.GET('/v1/auth/session', { signal })),
    staleTime: 60_000,
    refetchOnWindowFocus: 'always',
  });
  const owner = (session.data?.owner ?? undefined) as Address | undefined;
  const wasLoggedIn = useRef(false);
  if (owner) wasLoggedIn.current = true;

  const endsAt = session.data?.expires_at_ms ?? undefined;
  useEffect(() => {
    if (endsAt === undefined) return;
    const wait = Math.min(Math.max(endsAt - Date.now(), 1_000), LONGEST_TIMER_MS);
    const timer = setTimeout(() => void queries.invalidateQueries({ queryKey: SESSION_KEY }), wait);
    return () => clearTimeout(timer);
  }, [endsAt, queries]);

  const login = useCallback(async () => {
    const { address } = getConnection(wallets);
    if (!address) throw new Error('Connect a wallet first.');
    const challenge = await unwrap(api.POST('/v1/auth/nonce'));
    const { host, origin } = window.location;
    const message = loginMessage(address, challenge, { host, origin, now: new Date() });
    const signature = await signMessage(wallets, { account: address, message });
    const answer = await unwrap(api.POST('/v1/auth/session', { body: { message, signature } }));
    // What was signed shows the account's public key, which the contract wants with a request: nobody is asked to sign for it again.
    await learnKey(address, message, signature);
    queries.setQueryData(SESSION_KEY, answer);
    // Another owner sees nothing of the one before.
    await queries.resetQueries({ predicate: (query) => isOwners(query.queryKey) });
    return address;
  }, [wallets, queries]);

  const logout = useCallback(async () => {
    wasLoggedIn.current = false;
    await unwrap(api.POST('/v1/auth/logout'));
    queries.setQueryData(SESSION_KEY, { owner: null, expires_at_ms: null });
    queries.removeQueries({ predicate: (query) => isOwners(query.queryKey) });
  }, [queries]);

  const value = useMemo<SessionState>(
    () => ({ owner, loading: session.isPending, expired: !owner && wasLoggedIn.current, login, logout }),
    [owner, session.isPending, login, logout],
  );
  return <SessionContext value={value}>{children}</SessionContext>;
}

function isOwners(key: readonly unknown[]): boolean {
  return !['session', 'operators', 'app-config'].includes(String(key[0]));
}
