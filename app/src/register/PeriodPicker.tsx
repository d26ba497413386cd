import { RadioGroup } from 'radix-ui';
import { Field } from '../ui/Field';
import { PERIODS, type Period } from './period';

interface Props {
  label: string;
  period: Period;
  fault: string | undefined;
  onChange: (period: Period) => void;
}

export function PeriodPicker({ label, period, fault, onChange }: Props) {
  return (
    <div className="stack">
      <RadioGroup.Root
        className="periods"
        aria-label={label}
        value={period.choice}
        onValueChange={(choice) => onChange({ ...period, choice: choice as Period['choice'] })}
      >
        {PERIODS.map(({ choice, word }) => (
          <RadioGroup.Item key={choice} value={choice} className="size period">
            {word}
          </RadioGroup.Item>
        ))}
      </RadioGroup.Root>
      {period.choice === 'other' && (
        <Field
          label="Days"
          inputMode="numeric"
          autoComplete="off"
          value={period.days}
          error={fault}
          onChange={({ target }) => onChange({ ...period, days: target.value })}
        />
      )}
      {period.choice !== 'other' && fault && (
        <p className="field-error" role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}
