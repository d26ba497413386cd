import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import type { Address } from 'viem';
import { useConfig } from 'wagmi';
import { getConnection } from 'wagmi/actions';
import { api, ApiError, unwrap, type Schemas } from '../api/client';
import type { Operator } from '../api/operators';
import { useAppConfig } from '../config/config';
import { rememberRequest } from './remembered';

type SignedRequest = Schemas['SignedRequest'];

interface Start<Wanted> {
  /** What makes two requests the same, beside who asks and of which operators. */
  about: (wanted: Wanted) => unknown;
  /** Builds the request, and asks the wallet to sign it. */
  sign: (owner: Address, operatorIds: readonly number[], wanted: Wanted) => Promise<SignedRequest>;
}

/** Starts a ceremony by a signed request; gives its id. Whatever fails in between, one wish starts one ceremony. */
export function useStart<Wanted extends { members: readonly Operator[] }>({ about, sign }: Start<Wanted>) {
  const config = useAppConfig();
  const wallets = useConfig();
  const queries = useQueryClient();
  // Signed, but not known to have arrived: the same request again cannot start a second ceremony.
  const unsent = useRef<{ key: string; signed: SignedRequest } | null>(null);
  return useMutation({
    mutationFn: async (wanted: Wanted) => {
      const { address, chainId } = getConnection(wallets);
      if (!address) throw new Error('Connect a wallet first.');
      if (chainId !== config.chain_id) throw new Error('Switch your wallet to this network first.');
      const ids = wanted.members.map((member) => member.operator_id);
      const key = JSON.stringify([address, ids, about(wanted)]);
      if (unsent.current?.key !== key) unsent.current = { key, signed: await sign(address, ids, wanted) };
      const { signed } = unsent.current;
      try {
        const { ceremony_id } = await unwrap(api.POST('/v1/requests', { body: signed }));
        rememberRequest(ceremony_id, signed.request, wanted.members);
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
