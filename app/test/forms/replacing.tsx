// Where the pages of a replacement stand in tests: a real reshare, the compiled verifier, and the app's places around.
// Before what calls the service.
import { serve } from './service';
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  RouterProvider,
} from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { beforeAll, beforeEach, vi } from 'vitest';
import {
  ceremony,
  FIXTURE_OWNER,
  OPERATORS,
  PREVIOUS,
  PUBKEYS,
  RESHARE,
  validator,
  withVerifier,
} from './reshare';
import { show, type Stage } from './stage';

const [PUBKEY] = PUBKEYS;

/** The call that gets the certificate of a ceremony. */
export const certificateOf = (id: string) => `GET /v1/ceremonies/${id}/certificate`;

/** Before each test the service knows both ceremonies, and a validator that is to be moved. */
export function prepare(): void {
  beforeAll(withVerifier);
  beforeEach(() => {
    localStorage.clear();
    // The router goes to the top of a new page; jsdom has no place to go to.
    vi.stubGlobal('scrollTo', vi.fn());
    serve('GET /v1/operators', { items: OPERATORS });
    serve('GET /v1/ceremonies', { items: [ceremony(PREVIOUS)] });
    serve(`GET /v1/validators/${PUBKEY}`, validator());
    serve(certificateOf(PREVIOUS.ceremony_id), () => new Response(PREVIOUS.text));
    serve(certificateOf(RESHARE.ceremony_id), () => new Response(RESHARE.text));
  });
}

/** Shows a page at its place in the app. */
export async function open(page: ReactNode, stage: Partial<Stage> = {}) {
  const root = createRootRoute({ component: Outlet });
  const route = (path: string, shown: ReactNode) =>
    createRoute({ getParentRoute: () => root, path, component: () => shown });
  const router = createRouter({
    routeTree: root.addChildren([
      route('/validators/$pubkey/replace', page),
      route('/validators/$pubkey', 'the validator'),
      route('/ceremonies/$ceremonyId', 'the ceremony'),
    ]),
    history: createMemoryHistory({ initialEntries: [`/validators/${PUBKEY}/replace`] }),
  });
  const shown = await show(<RouterProvider router={router as never} />, {
    contracts: {},
    owner: FIXTURE_OWNER,
    ...stage,
  });
  return { ...shown, router };
}
