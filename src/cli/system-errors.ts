/**
 * What the operating system refuses where no room has wrapped it: a folder that may not be written, a full disk, a socket
 * that cannot be bound. Nobody's bug, so it becomes one of our own errors, with a next step and an exit code of its kind.
 */

const NETWORK_CALLS: ReadonlySet<string | undefined> = new Set(['bind', 'listen'])

/** Our own errors and bugs stay as they are. */
export async function explained(error: unknown): Promise<unknown> {
  if (!isSystemError(error)) return error
  const { syscall, path } = error
  const where = path ?? 'the file system'
  if (NETWORK_CALLS.has(syscall)) {
    const { ListenFailedError } = await import('../transport/errors.ts')
    return new ListenFailedError([where], error)
  }
  const { openingError } = await import('../storage/errors.ts')
  return openingError(syscall, where, error)
}

/** As Node.js throws them: only the operating system's carry the call that failed. */
const isSystemError = (error: unknown): error is NodeJS.ErrnoException & { readonly syscall: string } =>
  error instanceof Error && 'syscall' in error && typeof error.syscall === 'string' && 'errno' in error
