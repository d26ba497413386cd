import { createContext, use } from 'react';
import type { Schemas } from '../api/client';

/** What the service is configured for. */
export type AppConfig = Schemas['AppConfig'];

export const ConfigContext = createContext<AppConfig | null>(null);

/** The configuration; only below `Boot`. */
export function useAppConfig(): AppConfig {
  const config = use(ConfigContext);
  if (!config) throw new Error('useAppConfig is used outside of Boot');
  return config;
}

/** The network's name as people write it. */
export function networkName(config: AppConfig): string {
  return config.network.charAt(0).toUpperCase() + config.network.slice(1);
}
