import { useQuery } from '@tanstack/react-query';
import { api, ApiError, unwrap, type Schemas } from './client';

export type Ceremony = Schemas['Ceremony'];
export type CeremonyEvent = Schemas['CeremonyEvent'];

export const ceremonyKey = (id: string) => ['ceremony', id] as const;

/** The owner's latest ceremonies, newest first. */
export function useCeremonies(enabled: boolean) {
  return useQuery({
    queryKey: ['ceremonies'],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/v1/ceremonies', { params: { query: { limit: 100 } }, signal })).then(
        (page) => page.items,
      ),
    enabled,
  });
}

/** One ceremony. `awaited`: it was asked for on the chain, and the service has not read that far yet. */
export function useCeremony(id: string, awaited = false) {
  return useQuery({
    queryKey: ceremonyKey(id),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/v1/ceremonies/{ceremony_id}', { params: { path: { ceremony_id: id } }, signal })),
    refetchInterval: ({ state }) => (awaited && isUnknown(state.error) ? 2_000 : false),
  });
}

/** The service knows no such ceremony of this owner. */
export function isUnknown(error: Error | null): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** The text of a file of a ceremony, exactly as the service gave it out: it is what gets verified and saved. */
export async function ceremonyFile(id: string, file: 'certificate' | 'deposit-data'): Promise<string> {
  const path = { ceremony_id: id };
  const answer =
    file === 'certificate'
      ? api.GET('/v1/ceremonies/{ceremony_id}/certificate', { params: { path }, parseAs: 'text' })
      : api.GET('/v1/ceremonies/{ceremony_id}/deposit-data', { params: { path }, parseAs: 'text' });
  return unwrap<string>(answer);
}
