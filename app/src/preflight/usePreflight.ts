import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '../api/client';
import { needsWord, stateOf, type Preflight, type State } from './judge';

/** One call waits this long for news; the service ends the whole after half a minute. */
const WAIT_MS = 10_000;
/** What was measured is worth this long. */
const FRESH_MS = 120_000;

const isOver = (preflight: Preflight | undefined) =>
  preflight?.status === 'done' || preflight?.status === 'unanswered';

export interface Committed {
  state: State;
  preflight: Preflight | undefined;
  error: Error | null;
  again: () => void;
  /** The way on is closed: it is being measured, or it needs a person's word. */
  blocked: boolean;
  /** That word, for the preflight that it was given for. */
  goOn: boolean;
  setGoOn: (goOn: boolean) => void;
}

/** Has a gateway ask the operators of a committee whether they are fit, once it is whole and somebody is logged in. */
export function usePreflight(ids: readonly number[], enabled: boolean): Committed {
  const asked = useQuery({
    queryKey: ['preflight', ids.join()],
    queryFn: ({ signal }) => unwrap(api.POST('/v1/preflights', { body: { operator_ids: [...ids] }, signal })),
    enabled,
    staleTime: FRESH_MS,
  });
  const id = asked.data?.preflight_id;
  const answer = useQuery({
    queryKey: ['preflight-answer', id],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/v1/preflights/{preflight_id}', {
          params: { path: { preflight_id: id ?? '' }, query: { wait_ms: WAIT_MS } },
          signal,
        }),
      ),
    enabled: enabled && id !== undefined,
    staleTime: Infinity,
    // The pause between two calls; each waits for news by itself.
    refetchInterval: ({ state }) => (isOver(state.data) || state.error ? false : 50),
  });
  const [word, setWord] = useState<string>();
  const preflight = asked.isFetching ? undefined : (answer.data ?? asked.data);
  const error = asked.isFetching ? null : (asked.error ?? answer.error);
  const state = enabled ? stateOf(preflight, error !== null) : 'off';
  const goOn = id !== undefined && word === id;
  return {
    state,
    preflight,
    error,
    again: () => void asked.refetch(),
    blocked: state === 'measuring' || (needsWord(state) && !goOn),
    goOn,
    setGoOn: (next) => setWord(next ? id : undefined),
  };
}
