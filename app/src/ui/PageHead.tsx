import type { ReactNode } from 'react';
import { useEffect } from 'react';

interface Props {
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

/** The head of a page; also names the browser's tab. */
export function PageHead({ title, children, action }: Props) {
  useEffect(() => {
    document.title = `${title} · Cluster Node`;
  }, [title]);
  return (
    <header className="page-head">
      <div>
        <h1>{title}</h1>
        {children && <div className="page-lead">{children}</div>}
      </div>
      {action}
    </header>
  );
}
