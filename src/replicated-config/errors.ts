/** How a refused change reaches the one who asked for it. */
import { QuorateError } from '../core/errors.ts'
import { unreachable } from '../core/invariant.ts'
import { CONFIG_BYTES_MAX } from './limits.ts'
import type { ApplyResult, ConfigProblem } from './types.ts'

/** Somebody else changed the config first. */
export class ConfigConflictError extends QuorateError {
  constructor(expected: number, actual: number) {
    super('ConfigConflictError', 'ERR_CONFIG_CONFLICT', `the config is at version ${actual}, not at ${expected}`, {
      details: { expected, actual },
      nextStep: 'Read the config again, make the change on top of it, and set it with its version.'
    })
  }
}

/** The value breaks the schema, or is not JSON. */
export class InvalidConfigError extends QuorateError {
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ pointer, message }) => `${pointer === '' ? '(root)' : pointer}: ${message}`)
    super('InvalidConfigError', 'ERR_CONFIG_INVALID', `the config is not valid: ${lines.join(' ')}`, {
      details: { problems },
      nextStep: 'Correct the places named; nothing has changed.'
    })
    this.problems = problems
  }
}

/** The config is larger than a config may be. */
export class ConfigTooLargeError extends QuorateError {
  constructor(bytes: number, bytesMax: number = CONFIG_BYTES_MAX) {
    super('ConfigTooLargeError', 'ERR_CONFIG_TOO_LARGE', `the config has ${bytes} bytes; at most ${bytesMax} fit`, {
      details: { bytes, bytesMax },
      nextStep: 'Keep large data elsewhere and put its address and digest into the config.'
    })
  }
}

/** The command could not be read by this version of Quorate. */
export class UnreadableCommandError extends QuorateError {
  constructor(detail: string) {
    super('UnreadableCommandError', 'ERR_CONFIG_COMMAND', `the config command cannot be read: ${detail}`, {
      details: { detail },
      nextStep: 'Run the same version of Quorate on all members.'
    })
  }
}

/** The error of a result that is not `set`. */
export function configErrorOf(result: ApplyResult): QuorateError | undefined {
  switch (result.type) {
    case 'set':
      return undefined
    case 'conflict':
      return new ConfigConflictError(result.expected, result.actual)
    case 'invalid':
      return new InvalidConfigError(result.problems)
    case 'too-large':
      return new ConfigTooLargeError(result.bytes, result.bytesMax)
    case 'malformed':
      return new UnreadableCommandError(result.detail)
    default:
      return unreachable(result)
  }
}
