import { useConfig } from 'wagmi';
import { signTypedData } from 'wagmi/actions';
import type { Operator } from '../api/operators';
import { useAppConfig } from '../config/config';
import { useStart } from '../generate/useStart';
import { buildReshare, reshareTypedData, type Takeover } from './request';

interface Wanted {
  takeover: Takeover;
  /** The new committee, ascending. */
  members: readonly Operator[];
}

/** Asks the wallet for a signature and starts the reshare; gives the id of its ceremony. */
export function useSubmitReshare() {
  const config = useAppConfig();
  const wallets = useConfig();
  return useStart<Wanted>({
    about: ({ takeover }) => takeover.reshare.previous,
    sign: async (owner, ids, { takeover }) => {
      const request = buildReshare(owner, config, ids, takeover, Date.now());
      const signature = await signTypedData(wallets, { account: owner, ...reshareTypedData(request) });
      return { request, signature };
    },
  });
}
