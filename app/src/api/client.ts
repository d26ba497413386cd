import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

/** The schemas of `service/openapi.json`. */
export type Schemas = components['schemas'];
/** RFC 9457: what the service says when it refuses. */
export type Problem = Schemas['Problem'];

/** Calls the service that served this page. The session travels in a cookie that this code cannot read. */
export const api = createClient<paths>({ baseUrl: window.location.origin, credentials: 'same-origin' });

/** A call that failed, with a sentence for the reader. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    message: string,
    /** HTTP status; 0 when the service was not reached. */
    readonly status: number,
    /** The field that is to blame. */
    readonly field?: string,
    /** Operators that stand in the way. */
    readonly missingOperators: readonly number[] = [],
  ) {
    super(message);
  }
}

interface Answer<T> {
  data?: T | undefined;
  error?: unknown;
  response: Response;
}

/** The data of an answer; anything else is thrown as an `ApiError`. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError('The service cannot be reached. Check your connection, then try again.', 0);
  }
  const { data, error, response } = answer;
  if (response.ok && error === undefined) return data as T;
  throw problemOf(error, response.status);
}

function problemOf(body: unknown, status: number): ApiError {
  if (typeof body === 'object' && body !== null && 'detail' in body && typeof body.detail === 'string') {
    const problem = body as Problem;
    return new ApiError(problem.detail, status, problem.field ?? undefined, problem.missing_operators ?? []);
  }
  return new ApiError(`The service answered with an error that says nothing (${status}).`, status);
}
