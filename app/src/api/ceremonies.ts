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

/**
 * One ceremony. `awaited`: it was asked for on the chain, and the service may not have read that far; then the list is looked at first, so that
 * waiting is not a row of failed calls.
 */
export function useCeremony(id: string, awaited = false) {
  return useQuery({
    queryKey: ceremonyKey(id),
    queryFn: async ({ signal }) => {
      if (awaited && (await isMissing(id, signal))) {
        throw new ApiError('The service has not read the transaction of this ceremony yet.', 404);
      }
      return unwrap(
        api.GET('/v1/ceremonies/{ceremony_id}', { params: { path: { ceremony_id: id } }, signal }),
      );
    },
    refetchInterval: ({ state }) => (awaited && isUnknown(state.error) ? 2_000 : false),
  });
}

/** Whether the owner's list is there to its end, and the ceremony is not in it. */
async function isMissing(id: string, signal: AbortSignal): Promise<boolean> {
  const { items, next_cursor } = await unwrap(
    api.GET('/v1/ceremonies', { params: { query: { limit: 100 } }, signal }),
  );
  return next_cursor == null && !items.some(({ ceremony_id }) => ceremony_id === id);
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
