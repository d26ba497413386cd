import { useQuery } from '@tanstack/react-query';
import { api, unwrap, type Schemas } from './client';

export type OperatorUpkeep = Schemas['OperatorUpkeep'];
export type RelayRegistration = Schemas['RelayWord'];
export type RelayState = Schemas['RelayState'];
export type ExitState = Schemas['ExitState'];
export type UpkeepTotals = Schemas['UpkeepTotals'];

/** Gateways ask every operator that often. */
const ASKED_MS = 30_000;

/** What each operator of a validator says of it, ascending by id; asked for anew every so many milliseconds. */
export function useUpkeep(pubkey: string, everyMs = ASKED_MS) {
  return useQuery({
    queryKey: ['upkeep', pubkey],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/v1/validators/{pubkey}/upkeep', { params: { path: { pubkey } }, signal })).then(
        ({ items }) => items,
      ),
    refetchInterval: everyMs,
  });
}

/** The same in sum, over the owner's validators that are registered in the network. */
export function useUpkeepTotals() {
  return useQuery({
    queryKey: ['upkeep', 'totals'],
    queryFn: ({ signal }) => unwrap(api.GET('/v1/upkeep/totals', { signal })),
    refetchInterval: ASKED_MS,
  });
}
