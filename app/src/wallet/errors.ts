import { BaseError, UserRejectedRequestError } from 'viem';

/** Whether the person at the wallet said no. */
export function isRejection(error: unknown): boolean {
  if (error instanceof BaseError) {
    return (
      error.walk((cause) => cause instanceof UserRejectedRequestError || codeOf(cause) === 4001) !== null
    );
  }
  return codeOf(error) === 4001;
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** One sentence about what a wallet, or a call, failed with. */
export function describeError(error: unknown): string {
  if (isRejection(error)) return 'You declined in your wallet. Nothing was sent.';
  if (codeOf(error) === -32002) return 'Your wallet waits for an answer to an earlier question. Open it.';
  if (error instanceof BaseError) return error.shortMessage;
  if (error instanceof Error) return error.message;
  return 'Something failed, and nothing says what.';
}
