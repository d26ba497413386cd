import { RouterProvider } from '@tanstack/react-router';
import { useState } from 'react';
import { WagmiProvider } from 'wagmi';
import { useAppConfig } from './config/config';
import { createAppRouter } from './router';
import { SessionProvider } from './session/SessionProvider';
import { Toasts } from './ui/Toasts';
import { walletConfig } from './wallet/wallets';

export default function App() {
  const config = useAppConfig();
  const [wallets] = useState(() => walletConfig(config));
  const [router] = useState(createAppRouter);
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
