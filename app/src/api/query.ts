import { QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiError } from './client';

export const SESSION_KEY = ['session'] as const;

/** A call that finds the session ended asks anew who is logged in; the page then offers to log in again. */
export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (error instanceof ApiError && error.status === 401) {
        void queryClient.invalidateQueries({ queryKey: SESSION_KEY });
      }
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // What the service refuses it refuses again; what did not arrive may arrive.
      retry: (count, error) =>
        count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
  },
});
