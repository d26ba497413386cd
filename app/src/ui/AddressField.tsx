import { Field, type FieldProps } from './Field';

type Props = Omit<FieldProps, 'mono' | 'autoComplete' | 'spellCheck' | 'onChange'> & {
  onChange: (address: string) => void;
};

/** A field for an address of the chain: nothing completes or corrects it. */
export function AddressField({ placeholder = '0x…', onChange, ...field }: Props) {
  return (
    <Field
      {...field}
      mono
      autoComplete="off"
      spellCheck={false}
      placeholder={placeholder}
      onChange={({ target }) => onChange(target.value)}
    />
  );
}
