import type { ReactNode } from 'react';

/** A place where nothing is yet, and what to do about it. */
export function Empty({
  title,
  children,
  action,
}: {
  title: string;
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="empty">
      <svg className="empty-art" viewBox="0 0 64 64" aria-hidden>
        <circle cx="32" cy="14" r="6" />
        <circle cx="14" cy="34" r="6" />
        <circle cx="50" cy="34" r="6" />
        <circle cx="32" cy="52" r="6" className="empty-art-away" />
        <path d="M28 18 18 30M36 18 46 30M18 38 28 48M46 38 36 48" />
      </svg>
      <h2>{title}</h2>
      <p>{children}</p>
      {action}
    </div>
  );
}
