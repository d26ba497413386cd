export function Spinner({ label, fill = false }: { label: string; fill?: boolean }) {
  return (
    <div className={fill ? 'spinner spinner-fill' : 'spinner'} role="status">
      <span className="spinner-ring" aria-hidden />
      <span>{label}…</span>
    </div>
  );
}

/** Rows in the shape of what will come. */
export function Skeleton({ rows = 4, label }: { rows?: number; label: string }) {
  return (
    <div className="skeleton" role="status" aria-label={`${label} is loading`}>
      {Array.from({ length: rows }, (_, row) => (
        <span key={row} className="skeleton-row" />
      ))}
    </div>
  );
}
