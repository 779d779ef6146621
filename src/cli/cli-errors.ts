/** Errors of the command itself. Those of the node are thrown by the rooms that know them. */
import { QuorateError } from '../core/errors.ts'
import { type ExitCode, exitCodeOfSignal } from './exit-codes.ts'

/** The command line cannot be understood. */
export class UsageError extends QuorateError {
  constructor(message: string, nextStep = 'Run the command with --help.') {
    super('UsageError', 'ERR_USAGE', message, { nextStep })
  }
}

/** A file that an option names is not there or may not be read. */
export class UnreadableFileError extends QuorateError {
  constructor(path: string, what: string, cause: NodeJS.ErrnoException) {
    super('UnreadableFileError', 'ERR_UNREADABLE_FILE', `cannot read ${what} ${path}: ${reasonOf(cause)}`, {
      details: { path },
      nextStep: 'Check the path and its permissions.',
      cause
    })
  }
}

const reasonOf = ({ code, message }: NodeJS.ErrnoException): string => {
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'EISDIR') return 'it is a directory'
  return message
}

/** A file that the command would write exists. */
export class WouldOverwriteError extends QuorateError {
  constructor(path: string, nextStep = 'Choose another --out, or move the old files away if their cluster is gone.') {
    super('WouldOverwriteError', 'ERR_WOULD_OVERWRITE', `${path} exists; nothing was written`, {
      details: { path },
      nextStep
    })
  }
}

/** The cluster is not founded yet, or has not confirmed its config on this node since it was started. */
export class NotFormedError extends QuorateError {
  constructor(what: 'cluster' | 'config', stage: string, waitingFor: readonly string[]) {
    const missing = what === 'cluster' ? 'the cluster is not founded yet' : 'no config is confirmed here yet'
    const why = waitingFor.length === 0 ? '' : `; this node waits for ${waitingFor.join('; ')}`
    super('NotFormedError', 'ERR_NOT_FORMED', `${missing} (stage ${stage})${why}`, {
      details: { stage, waitingFor },
      nextStep: 'Run `quorate status` to see what it waits for.'
    })
  }
}

/** Of the interfaces that the node shall keep to, none has an address to listen on now. */
export class NoInterfaceError extends QuorateError {
  constructor(wanted: readonly string[], present: readonly string[]) {
    super(
      'NoInterfaceError',
      'ERR_NO_INTERFACE',
      `--interface ${wanted.join(' ')}: nothing here has this name or address now, so there is nothing to listen on`,
      {
        details: { interfaces: wanted, present },
        nextStep: `Name one that is here (${present.join(', ')}), or say with --listen where to listen.`
      }
    )
  }
}

/** Ends the command with this code; everything has been said. */
export class ExitWith extends Error {
  readonly exitCode: ExitCode
  constructor(exitCode: ExitCode, message = `exit ${exitCode}`) {
    super(message)
    this.name = 'ExitWith'
    this.exitCode = exitCode
  }
}

/** The first SIGINT or SIGTERM, or a reader that went away (SIGPIPE). */
export class Interrupted extends ExitWith {
  constructor(signal: string) {
    super(exitCodeOfSignal(signal), `interrupted by ${signal}`)
    this.name = 'Interrupted'
  }
}
