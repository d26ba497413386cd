/** Sizes of committees, n = 3f + 1. */
export const SIZES = [4, 7, 10, 13] as const;
export type Size = (typeof SIZES)[number];

/** How many operators may fail. */
export const tolerated = (size: Size): number => (size - 1) / 3;
/** How many must sign: all but those that may fail, in a committee of any size. */
export const threshold = (size: number): number => size - Math.floor((size - 1) / 3);

export function isSize(value: unknown): value is Size {
  return SIZES.some((size) => size === value);
}
