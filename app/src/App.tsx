import { RouterProvider } from '@tanstack/react-router';
import { WagmiProvider, type Config } from 'wagmi';
import { useAppConfig, type AppConfig } from './config/config';
import { createAppRouter } from './router';
import { SessionProvider } from './session/SessionProvider';
import { Toasts } from './ui/Toasts';
import { walletConfig } from './wallet/wallets';

interface Parts {
  wallets: Config;
  router: ReturnType<typeof createAppRouter>;
}

/**
 * Made once, and not as a state: React throws the states of a first render away when it has to wait for a page's code, and begins again.
 * wagmi goes back to the wallet of before while it renders, once at a time: a second configuration would find it busy with the first one,
 * and stay without a wallet.
 */
const made = new WeakMap<AppConfig, Parts>();

function partsOf(config: AppConfig): Parts {
  const parts = made.get(config) ?? { wallets: walletConfig(config), router: createAppRouter() };
  made.set(config, parts);
  return parts;
}

export default function App() {
  const { wallets, router } = partsOf(useAppConfig());
  return (
    <WagmiProvider config={wallets}>
      <SessionProvider>
        <Toasts>
          <RouterProvider router={router} />
        </Toasts>
      </SessionProvider>
    </WagmiProvider>
  );
}
