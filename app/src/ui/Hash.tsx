import { useToast } from './Toasts';

/** A long hex text, shortened for the eye and whole for the clipboard and for screen readers. */
export function Hash({
  value,
  label,
  head = 8,
  tail = 6,
}: {
  value: string;
  label: string;
  head?: number;
  tail?: number;
}) {
  const toast = useToast();
  const short = value.length > head + tail + 1 ? `${value.slice(0, head)}…${value.slice(-tail)}` : value;
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      toast(`${label} copied`);
    } catch {
      toast('The browser does not let this page use the clipboard');
    }
  };
  return (
    <button type="button" className="hash mono" title={value} onClick={() => void copy()}>
      <span className="sr-only">Copy {label} </span>
      {short}
    </button>
  );
}
