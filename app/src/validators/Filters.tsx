import type { ValidatorStatus } from '../api/validators';
import { shortId } from '../ceremony/status';
import type { ValidatorSearch } from './filter';
import { STATUSES, VALIDATOR_STATUS } from './status';

interface Props {
  search: ValidatorSearch;
  onChange: (search: ValidatorSearch) => void;
  shown: number;
  total: number;
}

/** Without a field that has no value: the address stays short. */
function without(search: ValidatorSearch, key: keyof ValidatorSearch): ValidatorSearch {
  const rest = { ...search };
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a key of the type
  delete rest[key];
  return rest;
}

export function Filters({ search, onChange, shown, total }: Props) {
  return (
    <div className="filters" role="search">
      <input
        type="search"
        className="input"
        aria-label="Search validators"
        placeholder="Key, or #7 for operator 7"
        value={search.q ?? ''}
        onChange={({ target }) =>
          onChange(target.value ? { ...search, q: target.value } : without(search, 'q'))
        }
      />
      <label className="inline">
        Status
        <select
          className="input"
          value={search.status ?? ''}
          onChange={({ target }) =>
            onChange(
              target.value
                ? { ...search, status: target.value as ValidatorStatus }
                : without(search, 'status'),
            )
          }
        >
          <option value="">all</option>
          {STATUSES.map((status) => (
            <option key={status} value={status}>
              {VALIDATOR_STATUS[status].word}
            </option>
          ))}
        </select>
      </label>
      {search.ceremony && (
        <button type="button" className="chip" onClick={() => onChange(without(search, 'ceremony'))}>
          ceremony {shortId(search.ceremony)} ×<span className="sr-only">: show all ceremonies</span>
        </button>
      )}
      <span className="hint" role="status">
        {shown === total ? `${total} validators` : `${shown} of ${total}`}
      </span>
    </div>
  );
}
