/**
 * Exit codes: a small, stable set that a script can switch on. Which error belongs where is decided here by the error's
 * stable `name`, in one table; an error that nobody listed is our bug (1).
 */
export const EXIT = {
  ok: 0,
  bug: 1,
  usage: 2,
  refused: 3,
  deadline: 4,
  conflict: 5,
  storage: 6,
  noQuorum: 7,
  preflight: 8,
  interrupted: 130,
  brokenPipe: 141,
  terminated: 143
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

interface Row {
  readonly code: ExitCode
  readonly meaning: string
  readonly errors: readonly string[]
}

const TABLE: readonly Row[] = [
  { code: EXIT.ok, meaning: 'done; `up`: stopped as asked', errors: [] },
  { code: EXIT.bug, meaning: 'a bug in quorate; please report it', errors: [] },
  {
    code: EXIT.usage,
    meaning: 'usage: an option, or a file that it names, is not what it should be',
    errors: [
      'InvalidOptionError',
      'InvalidSchemaError',
      'JsonTextError',
      'NoCredentialError',
      'NotJsonError',
      'PassphraseNeededError',
      'PassphraseRefusedError',
      'ScenarioError',
      'TokenTextError',
      'UnreadableFileError',
      'UsageError'
    ]
  },
  {
    code: EXIT.refused,
    meaning: 'refused: identity, token, cluster, or a config that its schema forbids',
    errors: [
      'AdmissionRefusedError',
      'NotAdmittedError',
      'ConfigTooLargeError',
      'ControlDeniedError',
      'ControlRequestError',
      'InvalidConfigError',
      'InvalidDocumentError',
      'KeyFileInvalidError',
      'KeyFileUnsafeError',
      'PassphraseError',
      'RequestRefusedError'
    ]
  },
  {
    code: EXIT.deadline,
    meaning: 'deadline: not ready, not answered or not stopped in time',
    errors: [
      'ControlLostError',
      'ControlTimeoutError',
      'NodeStoppedError',
      'NotReadyError',
      'OutcomeUnknownError',
      'StopTimeoutError'
    ]
  },
  {
    code: EXIT.conflict,
    meaning: 'conflict: config version, seat, or something that is there already',
    errors: [
      'ConfigConflictError',
      'CredentialMismatchError',
      'DataDirLockedError',
      'KeyExistsError',
      'NewClusterMismatchError',
      'SeatConflictError',
      'WouldOverwriteError'
    ]
  },
  {
    code: EXIT.storage,
    meaning: 'storage: damaged, foreign, unsafe, full or failing',
    errors: [
      'DataDirUnsafeError',
      'FormationStateError',
      'NodeKeyMissingError',
      'StorageClosedError',
      'StorageCorruptError',
      'StorageFailedError',
      'StorageForeignError',
      'StorageFullError',
      'StorageMissingError',
      'StoredStateError'
    ]
  },
  {
    code: EXIT.noQuorum,
    meaning: 'no quorum: too few members are here, or the cluster is not founded yet',
    errors: ['NoQuorumError', 'NotFormedError']
  },
  {
    code: EXIT.preflight,
    meaning: 'preflight: old Node.js, no permission, an address that cannot be bound, no node running',
    errors: ['KeyFileAccessError', 'ListenFailedError', 'NoInterfaceError', 'NodeNotRunningError', 'StorageAccessError']
  },
  { code: EXIT.interrupted, meaning: 'interrupted (SIGINT) before it was done', errors: [] },
  { code: EXIT.brokenPipe, meaning: 'nobody reads the output any more (SIGPIPE)', errors: [] },
  { code: EXIT.terminated, meaning: 'terminated (SIGTERM) before it was done', errors: [] }
]

/** For `--help` and docs. */
export const EXIT_CODES_HELP = [
  'Exit codes:',
  ...TABLE.map(({ code, meaning }) => `  ${String(code).padEnd(3)}  ${meaning}`)
].join('\n')

const CODES: ReadonlyMap<string, ExitCode> = new Map(
  TABLE.flatMap(({ code, errors }) => errors.map((name): [string, ExitCode] => [name, code]))
)

const SIGNALS = new Map<string, ExitCode>([
  ['SIGINT', EXIT.interrupted],
  ['SIGTERM', EXIT.terminated],
  ['SIGPIPE', EXIT.brokenPipe]
])

export const exitCodeOfSignal = (signal: string): ExitCode => SIGNALS.get(signal) ?? EXIT.bug

export function exitCodeOf(error: unknown): ExitCode {
  const { name } = (error ?? {}) as { name?: string }
  return CODES.get(name ?? '') ?? EXIT.bug
}
