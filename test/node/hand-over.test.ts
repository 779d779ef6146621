import { expect, test } from 'vitest'
import { silentLogger } from '../../src/node/defaults.ts'
import { HandOver } from '../../src/node/hand-over.ts'
import { VirtualClock } from '../discovery/memory-link.ts'

function leaving({ transfer, decided }: { transfer?: Promise<void>; decided?: Promise<void> }) {
  const clock = new VirtualClock()
  const seen: string[] = []
  let heirs = 1
  const until = (what: string, promise: Promise<void> | undefined) => (signal: AbortSignal) => {
    seen.push(what)
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
    return Promise.race([promise ?? Promise.resolve(), aborted])
  }
  const handOver = new HandOver({
    clock,
    logger: { ...silentLogger, info: (_, text) => void seen.push(text) },
    hasHeir: () => heirs > 0,
    transfer: until('transfer', transfer),
    decided: until('decided', decided)
  })
  const done = handOver.run(250).then(() => seen.push('gone'))
  return {
    clock,
    seen,
    done,
    closed(left: number): void {
      heirs = left
      handOver.lost()
    }
  }
}

const never = new Promise<void>(() => {})

test('a leader stays until its heir has decided something', async () => {
  const decision = Promise.withResolvers<void>()
  const { clock, seen, done } = leaving({ decided: decision.promise })
  await clock.runFor(900)
  expect(seen).toEqual(['transfer', 'decided'])
  decision.resolve()
  await done
  expect(seen.at(-1)).toBe('gone')
  expect(clock.pending).toBe(0)
})

test.each([
  ['nobody takes over', { transfer: never }],
  ['the heir decides nothing', { decided: never }]
])('it goes after a second when %s', async (_, circumstances) => {
  const { clock, seen, done } = leaving(circumstances)
  await clock.runFor(999)
  expect(seen).not.toContain('gone')
  await clock.runFor(1)
  await done
  expect(seen.slice(-2)).toEqual(['stopping before somebody else leads', 'gone'])
})

test('it goes at once when the last voter is lost, and not before', async () => {
  const { clock, seen, done, closed } = leaving({ decided: never })
  await clock.runFor(10)
  closed(1)
  await clock.runFor(1)
  expect(seen).toEqual(['transfer', 'decided'])
  closed(0)
  await done
  expect(clock.now()).toBe(11)
})

test('it does not ask an heir that has hardly begun, and asks nobody when the last voter is lost meanwhile', async () => {
  const { clock, seen, done, closed } = leaving({ decided: never })
  await clock.runFor(9)
  expect(seen).toEqual(['transfer'])
  closed(0)
  await done
  expect(seen).toEqual(['transfer', 'stopping before somebody else leads', 'gone'])
  expect(clock.pending).toBe(0)
})
