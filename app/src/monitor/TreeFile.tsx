import { useId, type ReactNode } from 'react';

interface Props {
  label: string;
  hint: ReactNode;
  refused: string | undefined;
  onFile: (file: File | undefined) => void;
}

/** A file with a tree of which the contract knows the root alone. */
export function TreeFile({ label, hint, refused, onFile }: Props) {
  const field = useId();
  return (
    <div className="field">
      <label htmlFor={field}>{label}</label>
      <input
        id={field}
        type="file"
        className="input"
        accept=".json,application/json"
        aria-describedby={`${field}-hint`}
        onChange={({ target }) => onFile(target.files?.[0])}
      />
      <span id={`${field}-hint`} className="hint wrap">
        {hint}
      </span>
      {refused && (
        <span className="field-error" role="alert">
          {refused}
        </span>
      )}
    </div>
  );
}
