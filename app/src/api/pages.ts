interface Page<T> {
  items: T[];
  next_cursor?: string | null | undefined;
}

/** Reads a list to its end. `seen` is told after every page. A cursor that comes again ends it: no service makes us read for ever. */
export async function allPages<T>(
  page: (cursor: { cursor?: string }) => Promise<Page<T>>,
  seen?: (items: readonly T[]) => void,
): Promise<T[]> {
  const items: T[] = [];
  const cursors = new Set<string>();
  let cursor: string | undefined;
  for (;;) {
    const answer = await page(cursor === undefined ? {} : { cursor });
    items.push(...answer.items);
    seen?.(items);
    const next = answer.next_cursor ?? undefined;
    if (next === undefined || cursors.has(next)) return items;
    cursors.add(next);
    cursor = next;
  }
}
