import { RadioGroup } from 'radix-ui';
import { isSize, SIZES, threshold, tolerated, type Size } from './sizes';

/** How many operators share a key. */
export function SizePicker({ size, onChange }: { size: Size; onChange: (size: Size) => void }) {
  return (
    <RadioGroup.Root
      className="sizes"
      aria-label="Size of the committee"
      value={String(size)}
      onValueChange={(value) => {
        const next = Number(value);
        if (isSize(next)) onChange(next);
      }}
    >
      {SIZES.map((option) => (
        <RadioGroup.Item key={option} value={String(option)} className="size">
          <strong>{option}</strong>
          <span>{tolerated(option)} may fail</span>
          <span className="hint">{threshold(option)} sign</span>
        </RadioGroup.Item>
      ))}
    </RadioGroup.Root>
  );
}
