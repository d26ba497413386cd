import { RadioGroup } from 'radix-ui';
import { useId, type ReactNode } from 'react';

interface Option<Value extends string> {
  value: Value;
  title: string;
  /** What it means, in hints below the title. */
  children?: ReactNode;
}

interface Props<Value extends string> {
  label: string;
  /** Whether the label is read out only. */
  hideLabel?: boolean;
  value: Value;
  options: readonly Option<Value>[];
  onChange: (value: Value) => void;
}

/** One of a few ways, each explained. */
export function Choice<Value extends string>({ label, hideLabel, value, options, onChange }: Props<Value>) {
  const labelId = useId();
  return (
    <>
      {!hideLabel && (
        <span id={labelId} className="label">
          {label}
        </span>
      )}
      <RadioGroup.Root
        className="options"
        {...(hideLabel ? { 'aria-label': label } : { 'aria-labelledby': labelId })}
        value={value}
        onValueChange={(chosen) => {
          const option = options.find((one) => one.value === chosen);
          if (option) onChange(option.value);
        }}
      >
        {options.map((option) => (
          <RadioGroup.Item key={option.value} value={option.value} className="option">
            <strong>{option.title}</strong>
            {option.children}
          </RadioGroup.Item>
        ))}
      </RadioGroup.Root>
    </>
  );
}
