import type { Ceremony } from '../api/ceremonies';
import type { Tone } from '../ui/Badge';

/** How a status is shown, and what it means. */
export const CEREMONY_STATUS: Record<Ceremony['status'], { tone: Tone; word: string; means: string }> = {
  pending: { tone: 'neutral', word: 'waiting', means: 'The operators have not begun yet.' },
  running: { tone: 'accent', word: 'running', means: 'The operators are making the keys.' },
  ready: { tone: 'good', word: 'ready', means: 'Every operator has signed that it holds its shares.' },
  incomplete: {
    tone: 'warning',
    word: 'incomplete',
    means:
      'The keys exist, but some operators have not confirmed their shares. Nothing can be deposited until they do.',
  },
  aborted: { tone: 'bad', word: 'failed', means: 'The ceremony ended without keys.' },
  expired: {
    tone: 'bad',
    word: 'expired',
    means: 'No operator began before the deadline.',
  },
};

/** What a status means for a ceremony that takes validators over from another one. */
export const RESHARE_MEANS: Record<Ceremony['status'], string> = {
  pending: 'The operators have not begun yet. The present committee goes on meanwhile.',
  running: 'The operators are making new shares of the same keys.',
  ready:
    'Every operator of the new committee has signed that it holds its shares. Duties move when you move the validators.',
  incomplete:
    'The new shares exist, but some operators have not confirmed them. The present committee goes on meanwhile.',
  aborted: 'No new shares were made. The present committee goes on, and nothing was paid.',
  expired: 'No operator began before the deadline. The present committee goes on, and nothing was paid.',
};

export function shortId(id: string): string {
  return `${id.slice(0, 10)}…${id.slice(-6)}`;
}

export function when(atMs: number): string {
  return new Date(atMs).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
