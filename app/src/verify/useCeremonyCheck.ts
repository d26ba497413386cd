import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { ceremonyFile, type Ceremony } from '../api/ceremonies';
import type { Operator } from '../api/operators';
import { useAppConfig } from '../config/config';
import { useSession } from '../session/session';
import { expectedOf } from './expected';
import { isVerified, useVerification } from './useVerification';

function useFiles(id: string | undefined) {
  return useQuery({
    queryKey: ['ceremony-files', id],
    queryFn: async () => {
      const [certificate, depositData] = await Promise.all([
        ceremonyFile(id ?? '', 'certificate'),
        ceremonyFile(id ?? '', 'deposit-data'),
      ]);
      return { certificate, depositData };
    },
    enabled: id !== undefined,
    // What is verified must be what is saved, and what is sent to the chain.
    staleTime: Infinity,
  });
}

/** Fetches the files of a ceremony and verifies them in this browser. Without a ceremony nothing happens. */
export function useCeremonyCheck(ceremony: Ceremony | undefined, operators: readonly Operator[]) {
  const config = useAppConfig();
  const { owner } = useSession();
  const files = useFiles(ceremony?.ceremony_id);
  const task = useMemo(() => {
    if (!ceremony || !files.data || !owner || operators.length === 0) return undefined;
    return { ...files.data, ...expectedOf(ceremony, operators, config, owner) };
  }, [files.data, owner, operators, ceremony, config]);
  const state = useVerification(task);
  return { files, task, state, verified: isVerified(state) };
}
