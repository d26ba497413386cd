import { useConfig } from 'wagmi';
import { signTypedData } from 'wagmi/actions';
import type { Operator } from '../api/operators';
import { useAppConfig } from '../config/config';
import { buildRequest, requestTypedData } from './request';
import { useStart } from './useStart';
import type { Order } from './validation';

interface Wanted {
  members: readonly Operator[];
  order: Order;
}

/** Asks the wallet for a signature and starts the ceremony; gives its id. */
export function useSubmitRequest() {
  const config = useAppConfig();
  const wallets = useConfig();
  return useStart<Wanted>({
    about: ({ order }) => order,
    sign: async (owner, ids, { order }) => {
      const request = buildRequest(owner, config, ids, order, Date.now());
      const signature = await signTypedData(wallets, { account: owner, ...requestTypedData(request) });
      return { request, signature };
    },
  });
}
