import type { ButtonHTMLAttributes } from 'react';

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: 'primary' | 'plain' | 'quiet';
  /** Something is under way: the button stays where it is, and takes no second press. */
  busy?: boolean;
}

export function Button({ kind = 'plain', busy = false, className = '', children, disabled, ...rest }: Props) {
  return (
    <button
      type="button"
      className={`button button-${kind} ${className}`}
      disabled={disabled === true || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {busy && <span className="spinner-dot" aria-hidden />}
      {children}
    </button>
  );
}
