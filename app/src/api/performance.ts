import { useQuery } from '@tanstack/react-query';
import { api, unwrap, type Schemas } from './client';
import { allPages } from './pages';

export type ValidatorPerformance = Schemas['ValidatorPerformance'];
export type OperatorPerformance = Schemas['OperatorPerformance'];

export interface Range {
  from_epoch?: number;
  validator?: string;
}

/** What the operators of the owner's committees say, from an epoch on. */
export function usePerformance(range: Range) {
  return useQuery({
    queryKey: ['performance', range],
    queryFn: async ({ signal }) => {
      let operators: OperatorPerformance[] = [];
      const items = await allPages<ValidatorPerformance>(async (cursor) => {
        const query = { limit: 100, ...range, ...cursor };
        const page = await unwrap(api.GET('/v1/performance', { params: { query }, signal }));
        // The first page alone has them.
        if (cursor.cursor === undefined) operators = page.operators;
        return page;
      });
      return { items, operators };
    },
    staleTime: 60_000,
  });
}
