import { Link } from '@tanstack/react-router';
import { Badge } from '../ui/Badge';
import { Button } from '../ui/Button';
import type { Move } from './move';

/** Rows that are shown at once; what is left of a larger ceremony comes up as these are moved. */
const MOST_ROWS = 50;

interface ListProps {
  moves: readonly Move[];
  busy: boolean;
  disabled: boolean;
  onMove: (move: Move) => void;
}

/** Every validator with where it is; the next one has the button. */
export function MoveList({ moves, busy, disabled, onMove }: ListProps) {
  const shown = [
    ...moves.filter(({ state }) => state !== 'moved'),
    ...moves.filter(({ state }) => state === 'moved'),
  ];
  const next = shown.find(({ state }) => state === 'open');
  return (
    <>
      <ol className="batches">
        {shown.slice(0, MOST_ROWS).map((one) => {
          const { pubkey } = one.shares;
          return (
            <li key={pubkey} className={one.state === 'open' && one !== next ? 'batch batch-later' : 'batch'}>
              <span>
                <Link to="/validators/$pubkey" params={{ pubkey }} className="mono">
                  {pubkey.slice(0, 10)}…{pubkey.slice(-8)}
                </Link>
              </span>
              {one.state === 'moved' && <Badge tone="good">moved</Badge>}
              {one.state === 'sent' && <Badge tone="accent">on the way</Badge>}
              {one.state === 'unregistered' && <span className="hint">not registered</span>}
              {one === next && (
                <Button kind="primary" busy={busy} disabled={disabled} onClick={() => onMove(one)}>
                  {busy ? 'Answer in your wallet' : 'Move this validator'}
                </Button>
              )}
              {one.state === 'open' && one !== next && <span className="hint">after the one before</span>}
            </li>
          );
        })}
      </ol>
      {shown.length > MOST_ROWS && <p className="hint">{shown.length - MOST_ROWS} more are not shown.</p>}
    </>
  );
}
