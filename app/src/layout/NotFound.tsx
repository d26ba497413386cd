import { Link } from '@tanstack/react-router';
import { Empty } from '../ui/Empty';
import { PageHead } from '../ui/PageHead';

export function NotFound() {
  return (
    <>
      <PageHead title="Not found" />
      <Empty
        title="There is no such page"
        action={
          <Link to="/" className="button button-primary">
            Go to the start
          </Link>
        }
      >
        The address may be mistyped, or belong to an older version of this app.
      </Empty>
    </>
  );
}
