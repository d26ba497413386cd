import { useQuery } from '@tanstack/react-query';
import { api, unwrap, type Schemas } from './client';
import { allPages } from './pages';

export type Validator = Schemas['Validator'];
export type ValidatorStatus = Schemas['ValidatorStatus'];

/** All validators of the owner, or those of one ceremony. */
export function useValidators(ceremonyId?: string) {
  return useQuery({
    queryKey: ['validators', ceremonyId ?? 'all'],
    queryFn: ({ signal }) =>
      allPages((cursor) => {
        const query = {
          limit: 100,
          ...cursor,
          ...(ceremonyId === undefined ? {} : { ceremony_id: ceremonyId }),
        };
        return unwrap(api.GET('/v1/validators', { params: { query }, signal }));
      }),
  });
}

export function useValidator(pubkey: string) {
  return useQuery({
    queryKey: ['validator', pubkey],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/v1/validators/{pubkey}', { params: { path: { pubkey } }, signal })),
    // Its facts go on by themselves: operators sign an exit, chains make blocks.
    refetchInterval: 6_000,
  });
}
