import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type ErrorComponentProps,
} from '@tanstack/react-router';
import { Shell } from './layout/Shell';
import { NotFound } from './layout/NotFound';
import { Button } from './ui/Button';
import { Notice } from './ui/Notice';
import { Spinner } from './ui/Spinner';
import { describeError } from './wallet/errors';
import { Home } from './home/Home';
import { parseSearch } from './validators/filter';

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const home = createRoute({ getParentRoute: () => root, path: '/', component: Home });
const committee = createRoute({
  getParentRoute: () => root,
  path: '/committee',
  component: lazyRouteComponent(() => import('./committee/CommitteePage'), 'CommitteePage'),
});
const generate = createRoute({
  getParentRoute: () => root,
  path: '/generate',
  component: lazyRouteComponent(() => import('./generate/GeneratePage'), 'GeneratePage'),
});
const ceremonies = createRoute({
  getParentRoute: () => root,
  path: '/ceremonies',
  component: lazyRouteComponent(() => import('./ceremony/CeremoniesPage'), 'CeremoniesPage'),
});
const ceremony = createRoute({
  getParentRoute: () => root,
  path: '/ceremonies/$ceremonyId',
  component: lazyRouteComponent(() => import('./ceremony/CeremonyPage'), 'CeremonyPage'),
});
const validators = createRoute({
  getParentRoute: () => root,
  path: '/validators',
  validateSearch: parseSearch,
  component: lazyRouteComponent(() => import('./validators/ValidatorsPage'), 'ValidatorsPage'),
});
const validator = createRoute({
  getParentRoute: () => root,
  path: '/validators/$pubkey',
  component: lazyRouteComponent(() => import('./validators/ValidatorPage'), 'ValidatorPage'),
});
const replace = createRoute({
  getParentRoute: () => root,
  path: '/validators/$pubkey/replace',
  component: lazyRouteComponent(() => import('./replace/ReplacePage'), 'ReplacePage'),
});

const performance = createRoute({
  getParentRoute: () => root,
  path: '/performance',
  component: lazyRouteComponent(() => import('./performance/PerformancePage'), 'PerformancePage'),
});

const csmPage = lazyRouteComponent(() => import('./csm/SubmitPage'), 'SubmitPage');
const csm = createRoute({ getParentRoute: () => root, path: '/csm', component: csmPage });
const csmSubmit = createRoute({ getParentRoute: () => root, path: '/csm/submit', component: csmPage });

const check = createRoute({
  getParentRoute: () => root,
  path: '/check',
  component: lazyRouteComponent(() => import('./check/CheckPage'), 'CheckPage'),
});

const register = createRoute({
  getParentRoute: () => root,
  path: '/register',
  validateSearch: (raw: Record<string, unknown>): { validator?: string } =>
    typeof raw.validator === 'string' ? { validator: raw.validator.slice(0, 98) } : {},
  component: lazyRouteComponent(() => import('./register/RegisterPage'), 'RegisterPage'),
});

const monitor = createRoute({
  getParentRoute: () => root,
  path: '/monitor',
  component: lazyRouteComponent(() => import('./monitor/MonitorPage'), 'MonitorPage'),
});

const cluster = createRoute({
  getParentRoute: () => root,
  path: '/cluster',
  component: lazyRouteComponent(() => import('./cluster/ClusterPage'), 'ClusterPage'),
});
const clusterOf = createRoute({
  getParentRoute: () => root,
  path: '/cluster/$ceremonyId',
  component: lazyRouteComponent(() => import('./cluster/ClusterPage'), 'ClusterPage'),
});

const routeTree = root.addChildren([
  home,
  committee,
  generate,
  ceremonies,
  ceremony,
  validators,
  validator,
  replace,
  performance,
  csm,
  csmSubmit,
  check,
  register,
  monitor,
  cluster,
  clusterOf,
]);

function PageFailed({ error, reset }: ErrorComponentProps) {
  return (
    <Notice kind="error" title="This page failed">
      <p>{describeError(error)}</p>
      <Button onClick={reset}>Try again</Button>
    </Notice>
  );
}

export function createAppRouter() {
  return createRouter({
    routeTree,
    defaultPreload: 'intent',
    defaultErrorComponent: PageFailed,
    defaultPendingComponent: () => <Spinner label="Loading" />,
    scrollRestoration: true,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
