import { Link } from '@tanstack/react-router';
import { useConnection } from 'wagmi';
import { useCeremonies } from '../api/ceremonies';
import { useSelection } from '../committee/selection';
import { networkName, useAppConfig } from '../config/config';
import { LoginButton } from '../session/LoginButton';
import { sameAddress, useSession } from '../session/session';
import { PageHead } from '../ui/PageHead';

interface StepState {
  title: string;
  text: string;
  done: boolean;
  to?: '/committee' | '/generate' | '/ceremonies' | '/validators';
}

function useSteps(): StepState[] {
  const { address, isConnected } = useConnection();
  const session = useSession();
  const [selection] = useSelection();
  const loggedIn = isConnected && sameAddress(session.owner, address);
  const ceremonies = useCeremonies(session.owner !== undefined).data ?? [];
  const ready = ceremonies.some((ceremony) => ceremony.status === 'ready');
  return [
    {
      title: 'Connect your wallet',
      text: 'It will own the validators. Log in by signing a message; that costs nothing.',
      done: loggedIn,
    },
    {
      title: 'Choose a committee',
      text: 'Four to thirteen independent operators. One of four may fail, and the validators go on.',
      done: selection.ids.length === selection.size,
      to: '/committee',
    },
    {
      title: 'Generate',
      text: 'The operators make the keys among themselves within seconds. No machine ever holds one.',
      done: ceremonies.length > 0,
      to: '/generate',
    },
    {
      title: 'Verify and deposit',
      text: 'Your browser checks every signature before you get the deposit data.',
      done: ready,
      to: '/ceremonies',
    },
  ];
}

/** Where to begin, and how far one has come. */
export function Home() {
  const config = useAppConfig();
  const steps = useSteps();
  const next = steps.findIndex((step) => !step.done);
  return (
    <>
      <PageHead title="Validators without a key holder">
        Make Ethereum validators for {networkName(config)} whose keys exist only in shares, for Lido&apos;s
        Community Staking Module or your own deposits.
      </PageHead>
      <ol className="journey">
        {steps.map((step, at) => (
          <li key={step.title} className={step.done ? 'leg leg-done' : at === next ? 'leg leg-next' : 'leg'}>
            <span className="leg-sign" aria-hidden>
              {step.done ? '✓' : at + 1}
            </span>
            <div className="leg-text">
              <h2>{step.title}</h2>
              <p>{step.text}</p>
              {step.done && <span className="sr-only">Done.</span>}
            </div>
            {at === 0 && !step.done && <LoginButton />}
            {step.to && (
              <Link to={step.to} className={at === next ? 'button button-primary' : 'button button-plain'}>
                {step.done ? 'See' : 'Go'}
                <span className="sr-only">: {step.title}</span>
              </Link>
            )}
          </li>
        ))}
      </ol>
    </>
  );
}
