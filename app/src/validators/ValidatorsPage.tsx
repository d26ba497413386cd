import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useValidators } from '../api/validators';
import { NeedsSession } from '../session/NeedsSession';
import { Button } from '../ui/Button';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton } from '../ui/Spinner';
import { filterValidators, type ValidatorSearch } from './filter';
import { Filters } from './Filters';
import { ValidatorTable } from './Table';

export function ValidatorsPage() {
  return (
    <>
      <PageHead title="Validators">Every key that your committees made for you.</PageHead>
      <NeedsSession why="Your validators are shown to you alone.">
        <Validators />
      </NeedsSession>
    </>
  );
}

function Validators() {
  const search = useSearch({ from: '/validators' });
  const navigate = useNavigate({ from: '/validators' });
  const validators = useValidators();
  const shown = useMemo(() => filterValidators(validators.data ?? [], search), [validators.data, search]);
  if (validators.isPending) return <Skeleton label="The list of validators" rows={8} />;
  if (validators.error) {
    return (
      <Notice kind="error" title="The validators cannot be shown">
        <p>{validators.error.message}</p>
        <Button onClick={() => void validators.refetch()}>Try again</Button>
      </Notice>
    );
  }
  if (validators.data.length === 0) {
    return (
      <Empty
        title="No validator yet"
        action={
          <Link to="/committee" className="button button-primary">
            Choose a committee
          </Link>
        }
      >
        They appear here as soon as a ceremony has made them.
      </Empty>
    );
  }
  const change = (next: ValidatorSearch) => void navigate({ search: next, replace: true });
  return (
    <>
      <Filters search={search} onChange={change} shown={shown.length} total={validators.data.length} />
      {shown.length === 0 ? (
        <Empty title="No validator matches" action={<Button onClick={() => change({})}>Show all</Button>}>
          Try fewer digits or take a filter away.
        </Empty>
      ) : (
        <ValidatorTable validators={shown} />
      )}
    </>
  );
}
