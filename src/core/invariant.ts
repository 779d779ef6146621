/** A broken promise of our own code: a bug, never an operating condition. Nothing should catch it to go on. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(`bug in quorate: ${message}`)
    this.name = 'InvariantError'
  }
}

/** States what must hold here. Side effects do not belong in `condition`. */
export function invariant(condition: unknown, message: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantError(typeof message === 'string' ? message : message())
}

/** Ends an exhaustive switch: the compiler proves that it cannot be reached, this says so when the types lied. */
export function unreachable(value: never): never {
  throw new InvariantError(`unexpected value ${JSON.stringify(value)}`)
}
