/**
 * Exit codes: a small, stable set that a script can switch on. Which error belongs where is decided here by the error's
 * stable `name`, in one place; an error that nobody listed is a failure (1).
 */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  refused: 3,
  notFormed: 4,
  brokenPipe: 141,
  interrupted: 130,
  terminated: 143
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** For `--help` and docs. */
export const EXIT_CODES_HELP = `Exit codes:
  0    done; \`up\`: stopped as asked
  1    failure
  2    usage: an option or a file is not what it should be
  3    refused or in conflict: identity, token, cluster, seat, config version
  4    deadline passed, not formed, or no quorum
  130  interrupted (SIGINT) before it was done
  143  terminated (SIGTERM) before it was done
  141  nobody reads the output any more (SIGPIPE)`

const USAGE = new Set([
  'InvalidOptionError',
  'NoCredentialError',
  'NotJsonError',
  'PassphraseNeededError',
  'PassphraseRefusedError',
  'TokenTextError',
  'UnreadableFileError',
  'UsageError'
])

const REFUSED = new Set([
  'AdmissionRefusedError',
  'ConfigConflictError',
  'ConfigTooLargeError',
  'ControlDeniedError',
  'CredentialMismatchError',
  'DataDirLockedError',
  'DataDirUnsafeError',
  'InvalidConfigError',
  'InvalidDocumentError',
  'InvalidSchemaError',
  'KeyExistsError',
  'KeyFileInvalidError',
  'KeyFileUnsafeError',
  'NewClusterMismatchError',
  'PassphraseError',
  'RequestRefusedError',
  'SeatConflictError',
  'WouldOverwriteError'
])

const NOT_FORMED = new Set(['ControlTimeoutError', 'NoQuorumError', 'NotFormedError', 'NotReadyError'])

const SIGNALS = new Map<string, ExitCode>([
  ['SIGINT', EXIT.interrupted],
  ['SIGTERM', EXIT.terminated],
  ['SIGPIPE', EXIT.brokenPipe]
])

export const exitCodeOfSignal = (signal: string): ExitCode => SIGNALS.get(signal) ?? EXIT.failure

export function exitCodeOf(error: unknown): ExitCode {
  const { name } = error as { name?: string }
  if (name === undefined) return EXIT.failure
  if (USAGE.has(name)) return EXIT.usage
  if (NOT_FORMED.has(name)) return EXIT.notFormed
  if (REFUSED.has(name)) return EXIT.refused
  return EXIT.failure
}
