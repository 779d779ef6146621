/** What `up --json` writes, and when. */
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import type { Io } from '../../src/cli/io.ts'
import { upOutput } from '../../src/cli/up-output.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { StampedNodeEvent } from '../../src/node/types.ts'

const event = (term: number): StampedNodeEvent => ({
  ...{ event: 'writable', term, at: 1 },
  ...{ node: 'n', cluster: null, attempt: 1 }
})

it('says what happens in one turn together and in order, behind what the turn has to do, and the rest when it closes', () => {
  const later: (() => void)[] = []
  const stdout = new PassThrough()
  const writes: string[] = []
  stdout.on('data', (text: Buffer) => writes.push(text.toString()))
  const clock = { ...systemClock, afterIo: (fn: () => void) => void later.push(fn) }
  const output = upOutput({ stdout, stderr: new PassThrough(), clock } as unknown as Io, true, () => '')
  output.event(event(1))
  output.extra({ event: 'new-cluster' })
  expect(writes).toEqual([])
  later.splice(0).forEach((fn) => fn())
  expect(writes).toEqual([`${JSON.stringify(event(1))}\n{"event":"new-cluster"}\n`])
  output.event(event(2))
  output.close()
  expect(writes.slice(1)).toEqual([`${JSON.stringify(event(2))}\n`])
  later.splice(0).forEach((fn) => fn())
  expect(writes).toHaveLength(2)
})
