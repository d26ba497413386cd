import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { networkName, useAppConfig } from '../config/config';
import { SessionNotice } from '../session/SessionNotice';
import { Badge } from '../ui/Badge';
import { ChainNotice } from '../wallet/ChainNotice';
import { WalletMenu } from '../wallet/WalletMenu';
import { useTheme } from './theme';

const PLACES = [
  { to: '/', label: 'Start' },
  { to: '/committee', label: 'Committee' },
  { to: '/generate', label: 'Generate' },
  { to: '/ceremonies', label: 'Ceremonies' },
  { to: '/validators', label: 'Validators' },
  { to: '/csm', label: 'Submit to CSM' },
  { to: '/register', label: 'Register' },
  { to: '/monitor', label: 'Monitor' },
  { to: '/performance', label: 'Performance' },
  { to: '/check', label: 'Check keys' },
] as const;

function ThemeButton() {
  const [theme, setTheme] = useTheme();
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={`Use the ${other} theme`}
      onClick={() => setTheme(other)}
    >
      <svg viewBox="0 0 24 24" aria-hidden>
        {theme === 'dark' ? (
          <path d="M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10Zm0-5v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2" />
        ) : (
          <path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z" />
        )}
      </svg>
    </button>
  );
}

/** Everything around a page. */
export function Shell() {
  const config = useAppConfig();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  // Whoever reads with a screen reader or the keyboard begins at the new page, not at the menu.
  useEffect(() => {
    if (first.current) first.current = false;
    else main.current?.focus({ preventScroll: true });
  }, [path]);
  return (
    <div className="shell">
      <a href="#main" className="skip">
        Skip to content
      </a>
      <header className="top">
        <Link to="/" className="brand">
          <img src="/icon.svg" alt="" width="28" height="28" />
          <span>Cluster Node</span>
        </Link>
        <Badge tone={config.network === 'mainnet' ? 'accent' : 'neutral'}>{networkName(config)}</Badge>
        <span className="top-space" />
        <ThemeButton />
        <WalletMenu />
      </header>
      <nav className="places" aria-label="Pages">
        {PLACES.map(({ to, label }) => (
          <Link key={to} to={to} className="place" activeOptions={{ exact: to === '/' }}>
            {label}
          </Link>
        ))}
      </nav>
      <main id="main" ref={main} tabIndex={-1} className="main">
        <ChainNotice />
        <SessionNotice />
        <Outlet />
      </main>
      <footer className="foot">Cluster Node {config.version}</footer>
    </div>
  );
}
