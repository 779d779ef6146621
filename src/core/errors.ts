/**
 * Errors that a caller can act on.
 *
 * Every operating failure is a class of its own, made where it happens, and carries what a person needs at three in the
 * morning: a stable `name` and `code` (switch on these, never on the text), the values that did not fit, and the next
 * step. Bugs are not operating failures: they go through `invariant()`. Loss of a message is not an error at all.
 */
export interface ErrorDetail {
  /** The values that did not fit, by name. Never a secret. */
  readonly details?: Readonly<Record<string, unknown>>
  /** One sentence: what the reader should do now. */
  readonly nextStep?: string
  readonly cause?: unknown
}

/** Base of every error that Quorate throws on purpose. */
export class QuorateError extends Error {
  /** Stable identifier, `ERR_…`. */
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>
  readonly nextStep: string | undefined

  constructor(name: string, code: string, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.name = name
    this.code = code
    this.details = detail.details ?? {}
    this.nextStep = detail.nextStep
  }

  /** The shape in which errors cross a socket or reach `--json`. */
  toJSON(): {
    name: string
    code: string
    message: string
    details: Readonly<Record<string, unknown>>
    nextStep?: string
  } {
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      details: this.details,
      ...(this.nextStep === undefined ? {} : { nextStep: this.nextStep })
    }
  }
}

/** An option that the caller passed breaks a rule; the message states the rule and the value. */
export class InvalidOptionError extends QuorateError {
  constructor(message: string, detail: ErrorDetail = {}) {
    super('InvalidOptionError', 'ERR_INVALID_OPTION', message, {
      nextStep: 'Correct the value that the message names; nothing was done.',
      ...detail
    })
  }
}

/** The text of anything thrown, for logs and wrapped messages. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
