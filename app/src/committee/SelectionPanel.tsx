import { Link } from '@tanstack/react-router';
import { useState, type SyntheticEvent } from 'react';
import type { Operator } from '../api/operators';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { useToast } from '../ui/Toasts';
import { concerns, save, toggle, useSavedCommittees, type Selection } from './selection';

interface Props {
  selection: Selection;
  operators: readonly Operator[];
  onChange: (selection: Selection) => void;
}

function SaveForm({ selection }: { selection: Selection }) {
  const [saved, setSaved] = useSavedCommittees();
  const [name, setName] = useState('');
  const toast = useToast();
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    setSaved(save(saved, name.trim(), selection));
    setName('');
    toast('Committee saved in this browser');
  };
  return (
    <form className="inline-form" onSubmit={submit}>
      <input
        className="input"
        aria-label="Name of this committee"
        placeholder="Name, to use it again"
        maxLength={60}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <Button type="submit" disabled={name.trim() === ''}>
        Save
      </Button>
    </form>
  );
}

function Saved({ onChoose }: { onChoose: (selection: Selection) => void }) {
  const [saved, setSaved] = useSavedCommittees();
  if (saved.length === 0) return null;
  return (
    <>
      <h3>Saved committees</h3>
      <ul className="saved">
        {saved.map(({ name, size, ids }) => (
          <li key={name}>
            <Button kind="quiet" onClick={() => onChoose({ size, ids })}>
              {name} <span className="hint">{ids.join(', ')}</span>
            </Button>
            <Button
              kind="quiet"
              aria-label={`Forget the committee ${name}`}
              onClick={() => setSaved(saved.filter((entry) => entry.name !== name))}
            >
              ×
            </Button>
          </li>
        ))}
      </ul>
    </>
  );
}

/** The committee so far, what to think about, and the way on. */
export function SelectionPanel({ selection, operators, onChange }: Props) {
  const { size, ids } = selection;
  const complete = ids.length === size;
  const unknown = ids.filter((id) => !operators.some((operator) => operator.operator_id === id));
  const members = operators.filter((operator) => ids.includes(operator.operator_id));
  return (
    <Card title="Your committee" aside={<span className="hint">{`${ids.length} of ${size}`}</span>}>
      {ids.length === 0 && <p className="hint">Choose {size} operators from the list.</p>}
      <ul className="chips">
        {ids.map((id) => (
          <li key={id}>
            <button type="button" className="chip" onClick={() => onChange(toggle(selection, id))}>
              {members.find((member) => member.operator_id === id)?.name ?? `Operator ${id}`} ×
              <span className="sr-only">: take away</span>
            </button>
          </li>
        ))}
      </ul>
      {unknown.length > 0 && (
        <Notice kind="error" title="Not in the registry any more">
          <p>Take operator {unknown.join(', ')} away and choose another one.</p>
        </Notice>
      )}
      {concerns(members).map((concern) => (
        <Notice key={concern} kind="warning" title="Think about it">
          <p>{concern}</p>
        </Notice>
      ))}
      {complete && unknown.length === 0 && (
        <>
          <SaveForm selection={selection} />
          <Link to="/generate" className="button button-primary button-wide">
            Go on with these {size}
          </Link>
        </>
      )}
      <Saved onChoose={onChange} />
    </Card>
  );
}
