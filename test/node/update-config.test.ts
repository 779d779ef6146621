/** The loop around compare-and-set: it ends by success, by the caller's wish, or by a conflict after so many tries. */
import { describe, expect, it } from 'vitest'
import { updateConfig } from '../../src/node/update-config.ts'
import type { ConfigVersion, QuorateNode } from '../../src/node/types.ts'
import { ConfigConflictError } from '../../src/replicated-config/index.ts'

type Config = Pick<QuorateNode['config'], 'read' | 'set'>

/** A config in memory; the first `races` sets find that somebody else was faster. */
function memoryConfig(races: number): Config & { versions: ConfigVersion[]; reasons: (string | undefined)[] } {
  const versions: ConfigVersion[] = [{ version: 1, hash: 'h1', value: { count: 0 } }]
  const reasons: (string | undefined)[] = []
  const commit = (value: ConfigVersion['value']): ConfigVersion => {
    versions.push({ version: versions.length + 1, hash: `h${versions.length + 1}`, value })
    return versions.at(-1)!
  }
  let left = races
  return {
    versions,
    reasons,
    read: async <T>() => versions.at(-1) as ConfigVersion<T>,
    set: async (value, { ifVersion, reason } = {}) => {
      if (left-- > 0) commit({ count: 100 * versions.length })
      const actual = versions.at(-1)!.version
      if (ifVersion !== actual) throw new ConfigConflictError(ifVersion!, actual)
      reasons.push(reason)
      return commit(value)
    }
  }
}

const increment = (value: { count: number }): { count: number } => {
  value.count++
  return value
}

describe('update', () => {
  it('makes the change anew on what others have set meanwhile, and touches nothing that is read', async () => {
    const config = memoryConfig(2)
    const done = await updateConfig(config, increment, { reason: 'one more' })
    expect(done).toMatchObject({ version: 4, value: { count: 201 } })
    expect(config.versions.map(({ value }) => value)).toEqual([
      { count: 0 },
      { count: 100 },
      { count: 200 },
      { count: 201 }
    ])
    expect(config.reasons).toEqual(['one more'])
  })

  it('ends with the conflict after so many tries', async () => {
    const config = memoryConfig(Infinity)
    let changes = 0
    const lost = updateConfig(config, (value: { count: number }) => (changes++, value), { tries: 3 })
    await expect(lost).rejects.toMatchObject({ code: 'ERR_CONFIG_CONFLICT', details: { expected: 3, actual: 4 } })
    expect(changes).toBe(3)
    for (const tries of [0, 1.5, NaN, Infinity]) {
      await expect(updateConfig(config, increment, { tries })).rejects.toThrow(
        `tries is ${tries}; it is a whole number from 1`
      )
    }
  })

  it('tries again for no other reason, and hands the signal on', async () => {
    const config = memoryConfig(0)
    const { signal } = new AbortController()
    const signals: unknown[] = []
    const refusing: Config = {
      read: (options) => (signals.push(options?.signal), config.read(options)),
      set: (_, options) => (signals.push(options?.signal), Promise.reject(new Error('no quorum')))
    }
    await expect(updateConfig(refusing, increment, { signal })).rejects.toThrow('no quorum')
    expect(signals).toEqual([signal, signal])
  })

  it('leaves everything as it is when the change says so, fails as the change fails, and stops at the signal', async () => {
    const config = memoryConfig(0)
    expect(await updateConfig(config, () => undefined)).toMatchObject({ version: 1 })
    await expect(updateConfig(config, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
    const stop = new AbortController()
    const stopped = updateConfig(
      config,
      (value: { count: number }) => {
        stop.abort(new Error('enough'))
        return value
      },
      { signal: stop.signal }
    )
    await expect(stopped).rejects.toThrow('enough')
    expect(config.versions).toHaveLength(1)
  })
})
