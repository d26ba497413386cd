import { useCallback, useSyncExternalStore } from 'react';

/** Values of this browser that survive a reload: drafts and choices. Never a key, a token or a signature. */
const PREFIX = 'cluster-node:';
const listeners = new Set<() => void>();
const cache = new Map<string, { text: string | null; value: unknown }>();

function readText(key: string): string | null {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

/** Reads a value; what does not parse is as good as nothing. */
export function readStored<T>(key: string, parse: (value: unknown) => T): T {
  const text = readText(key);
  const held = cache.get(key);
  if (held?.text === text) return held.value as T;
  let raw: unknown;
  try {
    raw = text === null ? undefined : JSON.parse(text);
  } catch {
    raw = undefined;
  }
  const value = parse(raw);
  cache.set(key, { text, value });
  return value;
}

export function writeStored(key: string, value: unknown): void {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: the value lives as long as the page.
    cache.set(key, { text: readText(key), value });
  }
  for (const tell of listeners) tell();
}

function subscribe(tell: () => void): () => void {
  listeners.add(tell);
  window.addEventListener('storage', tell);
  return () => {
    listeners.delete(tell);
    window.removeEventListener('storage', tell);
  };
}

/** A stored value as state. `parse` must be a constant function that accepts anything. */
export function useStored<T>(key: string, parse: (value: unknown) => T): [T, (value: T) => void] {
  const value = useSyncExternalStore(subscribe, () => readStored(key, parse));
  const set = useCallback((next: T) => writeStored(key, next), [key]);
  return [value, set];
}
