import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { api, unwrap } from '../api/client';
import { Button } from '../ui/Button';
import { Notice } from '../ui/Notice';
import { Spinner } from '../ui/Spinner';
import { ConfigContext } from './config';

// Wallets and pages are not needed to ask for the configuration: both are fetched at once.
const started = import('../App');
const App = lazy(() => started);

/** Asks the service what it is configured for, then shows the app. */
export function Boot() {
  const config = useQuery({
    queryKey: ['app-config'],
    queryFn: ({ signal }) => unwrap(api.GET('/v1/app-config', { signal })),
    staleTime: Infinity,
  });
  if (config.data) {
    return (
      <ConfigContext value={config.data}>
        <Suspense fallback={<Spinner label="Starting" fill />}>
          <App />
        </Suspense>
      </ConfigContext>
    );
  }
  if (config.error) {
    return (
      <main className="boot">
        <Notice kind="error" title="The app cannot start">
          <p>{config.error.message}</p>
          <Button onClick={() => void config.refetch()}>Try again</Button>
        </Notice>
      </main>
    );
  }
  return <Spinner label="Starting" fill />;
}
