import { useStored } from '../ui/stored';

/** What is filled in; it survives a reload. */
export interface Draft {
  count: string;
  /** Lido's withdrawal vault, or an address of the owner's own. */
  target: 'lido' | 'other';
  address: string;
  /** By a transaction with a fee, or by a signature alone; it counts only where there is a choice. */
  way: 'paid' | 'signed';
}

export const EMPTY_DRAFT: Draft = { count: '1', target: 'lido', address: '', way: 'paid' };

export function parseDraft(value: unknown): Draft {
  const { count, target, address, way } = (
    typeof value === 'object' && value !== null ? value : {}
  ) as Record<string, unknown>;
  return {
    count: typeof count === 'string' ? count.slice(0, 8) : EMPTY_DRAFT.count,
    target: target === 'other' ? 'other' : 'lido',
    address: typeof address === 'string' ? address.slice(0, 64) : '',
    way: way === 'signed' ? 'signed' : 'paid',
  };
}

export const useDraft = () => useStored('generate', parseDraft);
