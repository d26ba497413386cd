import type { Filter, SortKey } from './filter';

const SORTS: { key: SortKey; label: string }[] = [
  { key: 'operator_id', label: 'Id' },
  { key: 'name', label: 'Name' },
  { key: 'performance', label: 'Performance' },
  { key: 'fee', label: 'Fee' },
];

interface Props {
  filter: Filter;
  onChange: (filter: Filter) => void;
  count: number;
}

export function FilterBar({ filter, onChange, count }: Props) {
  return (
    <div className="filters" role="search">
      <input
        type="search"
        className="input"
        placeholder="Name, id, wallet or key"
        aria-label="Search operators"
        value={filter.text}
        onChange={(event) => onChange({ ...filter, text: event.target.value })}
      />
      <label className="check">
        <input
          type="checkbox"
          checked={filter.verifiedOnly}
          onChange={(event) => onChange({ ...filter, verifiedOnly: event.target.checked })}
        />
        Verified only
      </label>
      <label className="inline">
        Sort by
        <select
          className="input"
          value={filter.sort}
          onChange={(event) => onChange({ ...filter, sort: event.target.value as SortKey })}
        >
          {SORTS.map(({ key, label }) => (
            <option key={key} value={key}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        className="button button-plain"
        aria-label={filter.descending ? 'Sorted downwards; sort upwards' : 'Sorted upwards; sort downwards'}
        onClick={() => onChange({ ...filter, descending: !filter.descending })}
      >
        {filter.descending ? '↓' : '↑'}
      </button>
      <span className="hint" role="status">
        {count} shown
      </span>
    </div>
  );
}
