/** The loop that everybody writes around compare-and-set: read, change, set with the version that was read, again when it is stale. */
import { InvalidOptionError } from '../core/errors.ts'
import type { JsonValue } from '../core/json.ts'
import { ConfigConflictError } from '../replicated-config/index.ts'
import type { ConfigVersion, QuorateNode, UpdateOptions } from './types.ts'

/** Each lost race is somebody else's success, so a dozen of them in a row is a config that is used as a queue. */
const TRIES = 16

export async function updateConfig<T>(
  config: Pick<QuorateNode['config'], 'read' | 'set'>,
  change: (value: T, current: ConfigVersion<T>) => T | undefined | Promise<T | undefined>,
  { tries = TRIES, reason, signal }: UpdateOptions = {}
): Promise<ConfigVersion<T>> {
  if (!Number.isSafeInteger(tries) || tries < 1) {
    throw new InvalidOptionError(`tries is ${String(tries)}; it is a whole number from 1`)
  }
  const calls = signal === undefined ? {} : { signal }
  for (let left = tries; ; left--) {
    const current = await config.read<T>(calls)
    const value = await change(structuredClone(current.value), current)
    if (value === undefined) return current
    signal?.throwIfAborted()
    try {
      const options = { ...calls, ifVersion: current.version, ...(reason === undefined ? {} : { reason }) }
      return (await config.set(value as JsonValue, options)) as ConfigVersion<T>
    } catch (error) {
      if (!(error instanceof ConfigConflictError) || left <= 1) throw error
    }
  }
}
