import { useQuery } from '@tanstack/react-query';
import { api, unwrap, type Schemas } from './client';
import { allPages } from './pages';

export type Operator = Schemas['Operator'];

async function load(signal: AbortSignal): Promise<Operator[]> {
  return allPages((cursor) =>
    unwrap(api.GET('/v1/operators', { params: { query: { limit: 100, ...cursor } }, signal })),
  );
}

/** Every operator of the registry, ascending by id. */
export function useOperators() {
  return useQuery({ queryKey: ['operators'], queryFn: ({ signal }) => load(signal), staleTime: 60_000 });
}
