import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CeremonyEvent } from '../src/api/ceremonies';
import { advance, NO_PROGRESS, STEPS, type Progress } from '../src/ceremony/progress';

const base = { ceremony_id: '0x', at_ms: 0 };
const event = (seq: number, rest: Partial<CeremonyEvent> & Pick<CeremonyEvent, 'kind'>): CeremonyEvent => ({
  ...base,
  seq,
  ...rest,
});
const step = fc.constantFrom(...STEPS, 'done', 'aborted', 'something new');
const events = fc
  .array(
    fc.oneof(
      fc.record({
        kind: fc.constant('progress' as const),
        operator_id: fc.integer({ min: 1, max: 4 }),
        step,
      }),
      fc.record({ kind: fc.constantFrom('requested' as const, 'incomplete' as const, 'aborted' as const) }),
    ),
    { maxLength: 60 },
  )
  .map((list) => list.map((one, at) => event(at + 1, one)));
const reached = (progress: Progress, id: number) => progress.operators.get(id)?.reached ?? -1;

describe('progress of a ceremony', () => {
  test('never goes back, whatever arrives', () => {
    fc.assert(
      fc.property(events, (list) => {
        let progress = NO_PROGRESS;
        for (const one of list) {
          const next = advance(progress, one);
          if ([1, 2, 3, 4].some((id) => reached(next, id) < reached(progress, id))) return false;
          progress = next;
        }
        return true;
      }),
    );
  });

  test('a stream that begins anew after a reconnection changes nothing', () => {
    fc.assert(
      fc.property(events, fc.nat(), (list, cut) => {
        const once = list.reduce(advance, NO_PROGRESS);
        const again = [...list, ...list.slice(0, cut)].reduce(advance, NO_PROGRESS);
        expect(again).toEqual(once);
      }),
    );
  });

  test('names every culprit once', () => {
    const culprits = [{ operator_id: 2, kind: 'wrong_share' }];
    const progress = [
      event(1, { kind: 'progress', culprits }),
      event(2, { kind: 'aborted', culprits, reason: 'too few' }),
    ].reduce(advance, NO_PROGRESS);
    expect(progress.culprits).toEqual([{ operatorId: 2, kind: 'wrong_share' }]);
    expect(progress).toMatchObject({ outcome: 'aborted', reason: 'too few' });
  });

  test('incomplete names who is missing, ready nobody', () => {
    const incomplete = advance(NO_PROGRESS, event(1, { kind: 'incomplete', missing_operators: [4] }));
    expect(incomplete).toMatchObject({ outcome: 'incomplete', missing: [4] });
    expect(advance(incomplete, event(2, { kind: 'ready' }))).toMatchObject({ outcome: 'ready', missing: [] });
  });
});
