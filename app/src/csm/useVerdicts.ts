import { useQueries } from '@tanstack/react-query';
import { usePublicClient } from 'wagmi';
import { ceremonyFile, type Ceremony } from '../api/ceremonies';
import type { Operator } from '../api/operators';
import { useAppConfig } from '../config/config';
import { withEvent } from '../verify/event';
import { expectedOf } from '../verify/expected';
import { verify, type Verdict } from './verified';

export interface VerdictQuery {
  ceremonyId: string;
  verdict: Verdict | undefined;
  error: Error | null;
  pending: boolean;
  retry: () => void;
}

/** Fetches and verifies the files of ceremonies, one after the other; what was verified once stays so while the page lives. */
export function useVerdicts(
  ids: readonly string[],
  ceremonies: readonly Ceremony[],
  operators: readonly Operator[],
  owner: string,
  knownPubkeys: ReadonlyMap<string, readonly string[]>,
): VerdictQuery[] {
  const config = useAppConfig();
  const client = usePublicClient({ chainId: config.chain_id });
  const results = useQueries({
    queries: ids.map((id) => {
      const ceremony = ceremonies.find((one) => one.ceremony_id === id);
      return {
        queryKey: ['csm-verdict', id, owner],
        queryFn: async () => {
          if (!ceremony) throw new Error('The service does not know this ceremony.');
          const [certificate, depositData] = await Promise.all([
            ceremonyFile(id, 'certificate'),
            ceremonyFile(id, 'deposit-data'),
          ]);
          const { expected } = expectedOf(ceremony, operators, config, owner);
          const others = [...knownPubkeys].filter(([other]) => other !== id).flatMap(([, keys]) => keys);
          const task = { certificate, depositData, expected: { ...expected, known_pubkeys: others } };
          return verify(await withEvent(task, client, config.contracts));
        },
        enabled: ceremony !== undefined && operators.length > 0,
        staleTime: Infinity,
        gcTime: Infinity,
      };
    }),
  });
  return results.map((result, at) => ({
    ceremonyId: ids[at] ?? '',
    verdict: result.data,
    error: result.error,
    pending: result.isPending,
    retry: () => void result.refetch(),
  }));
}
