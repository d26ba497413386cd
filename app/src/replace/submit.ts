import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { useConfig } from 'wagmi';
import { getConnection, signTypedData } from 'wagmi/actions';
import { api, ApiError, unwrap, type Schemas } from '../api/client';
import type { Operator } from '../api/operators';
import { useAppConfig } from '../config/config';
import { rememberRequest } from '../generate/remembered';
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
  const queries = useQueryClient();
  // Signed, but not known to have arrived: the same request again cannot start a second ceremony.
  const unsent = useRef<{ key: string; signed: Schemas['SignedRequest'] } | null>(null);
  return useMutation({
    mutationFn: async ({ takeover, members }: Wanted) => {
      const { address, chainId } = getConnection(wallets);
      if (!address) throw new Error('Connect a wallet first.');
      if (chainId !== config.chain_id) throw new Error('Switch your wallet to this network first.');
      const ids = members.map((member) => member.operator_id);
      const key = JSON.stringify([address, ids, takeover.reshare.previous]);
      if (unsent.current?.key !== key) {
        const request = buildReshare(address, config, ids, takeover, Date.now());
        const signature = await signTypedData(wallets, { account: address, ...reshareTypedData(request) });
        unsent.current = { key, signed: { request, signature } };
      }
      const { signed } = unsent.current;
      try {
        const { ceremony_id } = await unwrap(api.POST('/v1/requests', { body: signed }));
        rememberRequest(ceremony_id, signed.request, members);
        return ceremony_id;
      } catch (error) {
        // Refused: a new signature is needed. Not reached: the same one will do.
        if (error instanceof ApiError && error.status >= 400 && error.status < 500) unsent.current = null;
        throw error;
      }
    },
    onSuccess: () => {
      unsent.current = null;
      void queries.invalidateQueries({ queryKey: ['ceremonies'] });
    },
  });
}
