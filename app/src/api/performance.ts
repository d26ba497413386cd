import { useQuery } from '@tanstack/react-query';
import { api, unwrap, type Schemas } from './client';
import { allPages } from './pages';

export type ValidatorPerformance = Schemas['ValidatorPerformance'];
export type OperatorPerformance = Schemas['OperatorPerformance'];
export type PerformancePoint = Schemas['PerformancePoint'];
export type ValidatorTotals = Schemas['ValidatorTotals'];
/** What one point of a series stands for. */
export type Per = 'epoch' | 'day';
/** Validators of one question for sums, as the service takes them. */
const TOTALS_AT_ONCE = 25;

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

/** One validator over time, newest first; a page of a hundred points, before the cursor when there is one. */
export function useSeries(validator: string, per: Per, cursor: string | undefined) {
  return useQuery({
    queryKey: ['performance', 'series', validator, per, cursor],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/v1/performance/series', {
          params: { query: { validator, per, limit: 100, ...(cursor === undefined ? {} : { cursor }) } },
          signal,
        }),
      ),
    staleTime: 60_000,
  });
}

/** Duties of some validators summed from a moment on, by key; those of others are not among them. */
export function useTotals(validators: readonly string[], sinceMs: number) {
  return useQuery({
    queryKey: ['performance', 'totals', validators, sinceMs],
    queryFn: async ({ signal }) => {
      const found = new Map<string, ValidatorTotals>();
      for (let at = 0; at < validators.length; at += TOTALS_AT_ONCE) {
        const keys = validators.slice(at, at + TOTALS_AT_ONCE).join(',');
        const query = { validators: keys, since_ms: sinceMs };
        const page = await unwrap(api.GET('/v1/performance/totals', { params: { query }, signal }));
        for (const item of page.items) found.set(item.pubkey, item);
      }
      return found;
    },
    enabled: validators.length > 0,
    staleTime: 300_000,
  });
}
