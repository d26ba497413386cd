import type { Operator } from '../api/operators';
import { useStored } from '../ui/stored';
import { isSize, type Size } from './sizes';

/** The committee that is being chosen. Ids ascend, as requests want them. */
export interface Selection {
  size: Size;
  ids: readonly number[];
}

export interface SavedCommittee extends Selection {
  name: string;
}

const MAX_SAVED = 50;

function parseIds(value: unknown): number[] {
  if (!Array.isArray(value)) return [];
  const ids = value.filter((id): id is number => Number.isSafeInteger(id) && (id as number) >= 0);
  return [...new Set(ids)].sort((a, b) => a - b);
}

export function parseSelection(value: unknown): Selection {
  const { size, ids } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const known = isSize(size) ? size : 4;
  return { size: known, ids: parseIds(ids).slice(0, known) };
}

export function parseSaved(value: unknown): readonly SavedCommittee[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_SAVED).flatMap((entry: unknown) => {
    const name = typeof entry === 'object' && entry !== null && 'name' in entry ? entry.name : undefined;
    const selection = parseSelection(entry);
    const whole = selection.ids.length === selection.size;
    return typeof name === 'string' && name !== '' && whole
      ? [{ ...selection, name: name.slice(0, 60) }]
      : [];
  });
}

/** Adds or takes away an operator; one beyond the size is not added. */
export function toggle({ size, ids }: Selection, id: number): Selection {
  if (ids.includes(id)) return { size, ids: ids.filter((other) => other !== id) };
  if (ids.length >= size) return { size, ids };
  return { size, ids: [...ids, id].sort((a, b) => a - b) };
}

/** Another size; operators that no longer fit are dropped from the end. */
export function resize({ ids }: Selection, size: Size): Selection {
  return { size, ids: ids.slice(0, size) };
}

/** Keeps a committee under a name; the same name replaces. */
export function save(
  saved: readonly SavedCommittee[],
  name: string,
  selection: Selection,
): readonly SavedCommittee[] {
  const others = saved.filter((entry) => entry.name !== name);
  return [{ ...selection, name }, ...others].slice(0, MAX_SAVED);
}

/** What somebody should know about a committee before relying on it, in sentences. */
export function concerns(operators: readonly Operator[]): string[] {
  const found: string[] = [];
  const byOwner = new Map<string, Operator[]>();
  for (const operator of operators) {
    const owner = operator.owner?.toLowerCase();
    if (owner) byOwner.set(owner, [...(byOwner.get(owner) ?? []), operator]);
  }
  for (const group of byOwner.values()) {
    if (group.length > 1) found.push(`${listNames(group)} belong to one owner and may fail together.`);
  }
  if (operators.length > 0 && !operators.some((operator) => operator.verified)) {
    found.push('None of these operators is verified.');
  }
  return found;
}

function listNames(operators: readonly Operator[]): string {
  const names = operators.map((operator) => operator.name);
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}

export const useSelection = () => useStored('committee', parseSelection);
export const useSavedCommittees = () => useStored('saved-committees', parseSaved);
