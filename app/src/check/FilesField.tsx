import { useId } from 'react';
import { Notice } from '../ui/Notice';
import type { Chosen } from './files';

/** Chooses the files of a ceremony, and says which are there and why others are not. */
export function FilesField({
  chosen: { certificate, depositData },
  refused,
  title = 'This file does not help',
  onChoose,
  children,
}: {
  chosen: Chosen;
  refused: string | undefined;
  /** Of a refusal. */
  title?: string;
  onChoose: (files: File[]) => void;
  /** Said after what is there. */
  children?: string;
}) {
  const id = useId();
  return (
    <>
      <div className="field">
        <label htmlFor={id}>certificate.json and deposit_data-….json</label>
        <input
          id={id}
          type="file"
          className="input"
          multiple
          accept=".json,application/json"
          onChange={({ target }) => onChoose([...(target.files ?? [])])}
        />
        <span className="hint" role="status">
          {certificate ? 'Certificate chosen. ' : 'The certificate is missing. '}
          {depositData ? 'Deposit data chosen.' : 'The deposit data are missing.'} {children}
        </span>
      </div>
      {refused && (
        <Notice kind="error" title={title}>
          <p>{refused}</p>
        </Notice>
      )}
    </>
  );
}
