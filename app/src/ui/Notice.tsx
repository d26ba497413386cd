import type { ReactNode } from 'react';

interface Props {
  kind: 'error' | 'warning' | 'info' | 'good';
  title: string;
  children?: ReactNode;
}

const SIGNS = { error: '!', warning: '!', info: 'i', good: '✓' };

/** Something that the reader has to know; errors are read out at once. */
export function Notice({ kind, title, children }: Props) {
  return (
    <div className={`notice notice-${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      <span className="notice-sign" aria-hidden>
        {SIGNS[kind]}
      </span>
      <div className="notice-text">
        <strong>{title}</strong>
        {children}
      </div>
    </div>
  );
}
