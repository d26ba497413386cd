import { Link } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef } from 'react';
import type { Validator } from '../api/validators';
import { committeeOf } from '../replace/committee';
import { Badge } from '../ui/Badge';
import { shownStatus } from './status';

const ROW_PX = 52;

/** Only the rows that can be seen are in the page: five thousand scroll like fifty. */
export function ValidatorTable({ validators }: { validators: readonly Validator[] }) {
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: validators.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    // Rows before the box is measured, and where nothing is ever measured (tests).
    initialRect: { width: 800, height: 640 },
  });
  return (
    <div className="vtable" role="table" aria-label="Validators" aria-rowcount={validators.length + 1}>
      <div role="row" className="vrow vhead" aria-rowindex={1}>
        <span role="columnheader">Key</span>
        <span role="columnheader">Status</span>
        <span role="columnheader" className="wide">
          Operators
        </span>
        <span role="columnheader" className="wide">
          Made
        </span>
      </div>
      <div ref={box} className="vbox" role="rowgroup" tabIndex={0} aria-label="Rows">
        <div style={{ height: rows.getTotalSize(), position: 'relative' }} role="presentation">
          {rows.getVirtualItems().map(({ index, start }) => {
            const validator = validators[index];
            return (
              validator && <Row key={validator.pubkey} validator={validator} index={index} top={start} />
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Row({ validator, index, top }: { validator: Validator; index: number; top: number }) {
  const { tone, word } = shownStatus(validator);
  const { pubkey } = validator;
  return (
    <div
      role="row"
      className="vrow"
      aria-rowindex={index + 2}
      style={{
        position: 'absolute',
        top: 0,
        left: 0,
        right: 0,
        height: ROW_PX,
        transform: `translateY(${top}px)`,
      }}
    >
      <span role="rowheader">
        <Link to="/validators/$pubkey" params={{ pubkey }} className="mono" title={pubkey}>
          {pubkey.slice(0, 10)}…{pubkey.slice(-8)}
        </Link>
      </span>
      <span role="cell">
        <Badge tone={tone}>{word}</Badge>
      </span>
      <span role="cell" className="wide figure">
        {committeeOf(validator).join(', ')}
      </span>
      <span role="cell" className="wide hint">
        {new Date(validator.created_at_ms).toLocaleDateString()}
      </span>
    </div>
  );
}
