// @vitest-environment jsdom
// The page of all validators' figures: what its chart shows is there in words too.
// Before what calls the service.
import { serve } from './forms/service';
import { screen, within } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';
import type { ValidatorPerformance } from '../src/api/performance';
import { PerformancePage } from '../src/performance/PerformancePage';
import { show } from './forms/stage';
import { operator } from './support';

const figures = (pubkey: string, epoch: number, submitted: number, expected = 4): ValidatorPerformance => ({
  pubkey,
  epoch,
  start_ms: epoch * 384_000,
  operator_ids: [1, 2, 3, 4],
  reports: 4,
  expected,
  submitted,
  duties: [{ kind: 'attestation', expected, submitted, misses: {} }],
});

// jsdom lays nothing out: charts have their first size.
vi.stubGlobal(
  'ResizeObserver',
  class {
    observe = vi.fn();
    unobserve = vi.fn();
    disconnect = vi.fn();
  },
);

async function open(items: ValidatorPerformance[]) {
  serve('GET /v1/operators', { items: [1, 2, 3, 4].map((id) => operator(id)), next_cursor: null });
  serve('GET /v1/performance', {
    items,
    next_cursor: null,
    operators: [{ operator_id: 1, exchanges: 8, seen: 6 }],
  });
  await show(<PerformancePage />, { contracts: {} });
}

test('every epoch of the chart is a row of its table, newest first, with all validators together', async () => {
  await open([figures('0xa', 7, 4), figures('0xb', 7, 3), figures('0xa', 9, 0), figures('0xa', 8, 0, 0)]);
  const chart = await screen.findByRole('img', { name: /the table below has the same figures/ });
  await userEvent.click(screen.getByText('The same as a table'));
  const table = within(screen.getByRole('region', { name: 'Figures of the chart' })).getByRole('table');
  expect(chart.compareDocumentPosition(table) & Node.DOCUMENT_POSITION_FOLLOWING).toBeTruthy();
  const rows = within(table).getAllByRole('row');
  expect(rows.map((row) => [...row.children].map(({ textContent }) => textContent))).toEqual([
    ['When', 'Performed', 'Share'],
    ['Epoch 9', '0 of 4', '0.0 %'],
    ['Epoch 8', '0 of 0', '100.0 %'],
    ['Epoch 7', '7 of 8', '87.5 %'],
  ]);
  expect(within(table).getAllByRole('rowheader')).toHaveLength(3);
});

test('without figures there is neither a chart nor a table', async () => {
  await open([]);
  await screen.findByText('No duties yet');
  expect(screen.queryByRole('img')).toBeNull();
  expect(screen.queryByText('The same as a table')).toBeNull();
});
