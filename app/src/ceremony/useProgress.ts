import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useReducer, useState } from 'react';
import { ceremonyKey, type CeremonyEvent } from '../api/ceremonies';
import { SESSION_KEY } from '../api/query';
import { advance, NO_PROGRESS, type Progress } from './progress';

const KINDS: readonly CeremonyEvent['kind'][] = [
  'requested',
  'progress',
  'aborted',
  'expired',
  'incomplete',
  'ready',
];

/** The longest event that is read; 13 operators and their faults fit in a fraction. */
const MAX_EVENT_CHARS = 64 * 1024;

function parse(data: unknown): CeremonyEvent | undefined {
  if (typeof data !== 'string' || data.length > MAX_EVENT_CHARS) return undefined;
  try {
    const event = JSON.parse(data) as CeremonyEvent;
    return Number.isSafeInteger(event.seq) && KINDS.includes(event.kind) ? event : undefined;
  } catch {
    return undefined;
  }
}

/** Follows a ceremony live. The browser reconnects by itself and misses no event. */
export function useProgress(ceremonyId: string): { progress: Progress; connected: boolean } {
  const queries = useQueryClient();
  const [progress, see] = useReducer(advance, NO_PROGRESS);
  const [connected, setConnected] = useState(false);
  useEffect(() => {
    const source = new EventSource(`/v1/ceremonies/${encodeURIComponent(ceremonyId)}/events`);
    const take = (message: MessageEvent) => {
      const event = parse(message.data);
      if (!event) return;
      see(event);
      if (event.kind !== 'progress') {
        void queries.invalidateQueries({ queryKey: ceremonyKey(ceremonyId) });
        void queries.invalidateQueries({ queryKey: ['ceremonies'] });
      }
    };
    for (const kind of KINDS) source.addEventListener(kind, take);
    source.onopen = () => setConnected(true);
    source.onerror = () => {
      setConnected(false);
      // Closed for good: the ceremony is over, or the session is.
      if (source.readyState === EventSource.CLOSED) void queries.invalidateQueries({ queryKey: SESSION_KEY });
    };
    return () => source.close();
  }, [ceremonyId, queries]);
  return { progress, connected };
}
