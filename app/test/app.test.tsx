// @vitest-environment jsdom
// The whole app, when its first render is thrown away: the wallet of before is back all the same.
import { QueryClientProvider } from '@tanstack/react-query';
import { act, render, screen } from '@testing-library/react';
import { Suspense, use } from 'react';
import { expect, test, vi } from 'vitest';

vi.hoisted(() => {
  const answers: [RegExp, unknown][] = [
    [/auth\/session/, { owner: null, expires_at_ms: null }],
    [/./, { items: [], next_cursor: null }],
  ];
  globalThis.fetch = (asked) => {
    const url = asked instanceof Request ? asked.url : String(asked);
    return Promise.resolve(Response.json(answers.find(([pattern]) => pattern.test(url))?.[1]));
  };
  // jsdom has neither.
  window.matchMedia = () =>
    ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }) as never;
  window.scrollTo = () => undefined;
});

import App from '../src/App';
import { queryClient } from '../src/api/query';
import { ConfigContext } from '../src/config/config';
import { CONFIG } from './support';

const ACCOUNT = '0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2';

/** A promise, and what ends it. */
function latch(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** A wallet that was connected before, and answers when it is let. */
function announceWallet() {
  const { opened, open: answer } = latch();
  const asked: string[] = [];
  const provider = {
    on: () => undefined,
    removeListener: () => undefined,
    async request({ method }: { method: string }) {
      asked.push(method);
      await opened;
      return method === 'eth_chainId' ? '0x88bb0' : [ACCOUNT];
    },
  };
  const info = { uuid: 'one', name: 'Test Wallet', icon: 'data:image/png;base64,', rdns: 'example.test' };
  const detail = Object.freeze({ info, provider });
  const announce = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail }));
  window.addEventListener('eip6963:requestProvider', announce);
  return { answer, asked };
}

test('the wallet comes back although React begins anew before it has answered', async () => {
  const wallet = announceWallet();
  const later = latch();
  let renders = 0;
  /** Makes everything beside it wait, as code that is being fetched does. */
  function Waits() {
    renders += 1;
    use(later.opened);
    return <p>here</p>;
  }
  // React looks again at what waits only after an asynchronous `act`.
  // eslint-disable-next-line @typescript-eslint/require-await
  await act(async () => {
    render(
      <QueryClientProvider client={queryClient}>
        <ConfigContext value={CONFIG}>
          <Suspense fallback="waiting">
            <App />
            <Waits />
          </Suspense>
        </ConfigContext>
      </QueryClientProvider>,
    );
  });
  expect(screen.getByText('waiting')).toBeTruthy();
  await vi.waitFor(() => expect(wallet.asked).toContain('eth_accounts'));
  await act(async () => {
    later.open();
    await later.opened;
  });
  await screen.findByText('here');
  expect(renders).toBeGreaterThan(1);
  wallet.answer();
  await screen.findByText(/0x4473/);
});
