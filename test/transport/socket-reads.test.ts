/** Bytes that skip a socket's buffer and events come in the same order as those that do not. */
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readAtOnce } from '../../src/transport/libp2p/socket-reads.ts'

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

function socket() {
  const stream = new Readable({ read() {} })
  const got: number[] = []
  const taken: number[] = []
  const hear = (bytes: Uint8Array): void => void got.push(...bytes)
  stream.on('data', hear)
  const may = { take: true }
  readAtOnce(
    stream,
    () => may.take,
    (bytes) => {
      taken.push(...bytes)
      hear(bytes)
    }
  )
  return { stream, got, taken, may }
}

it('hands on at once what Node would hand on, and says that more may come', () => {
  const { stream, got, taken } = socket()
  expect(stream.push(Buffer.from([1, 2]))).toBe(true)
  expect([got, taken]).toEqual([
    [1, 2],
    [1, 2]
  ])
})

it('leaves to Node what it would keep back, what somebody else hears as well, and the end', async () => {
  const { stream, got, taken, may } = socket()
  stream.pause()
  stream.push(Buffer.from([1]))
  stream.resume()
  await turn()
  const other: number[] = []
  const overhear = (bytes: Uint8Array): void => void other.push(...bytes)
  stream.on('data', overhear)
  stream.push(Buffer.from([2]))
  stream.off('data', overhear)
  may.take = false
  stream.push(Buffer.from([3]))
  const ended = new Promise((resolve) => void stream.once('end', resolve))
  stream.push(null)
  await ended
  expect([got, taken, other]).toEqual([[1, 2, 3], [], [2]])
})

it('keeps the order, whoever pauses and resumes in between', async () => {
  const step = fc.constantFrom('push', 'push', 'push', 'pause', 'resume', 'turn', 'take', 'leave')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { stream, got, may } = socket()
      let pushed = 0
      for (const one of steps) {
        if (one === 'push') stream.push(Buffer.from([pushed++]))
        else if (one === 'pause') stream.pause()
        else if (one === 'resume') stream.resume()
        else if (one === 'turn') await turn()
        else may.take = one === 'take'
      }
      stream.resume()
      await turn()
      await turn()
      expect(got).toEqual(Array.from({ length: pushed }, (_, i) => i))
    })
  )
})

it('leaves alone what does not look like a socket', () => {
  const push = (): boolean => true
  const strange = { push, readableLength: 0 }
  readAtOnce(
    strange,
    () => true,
    () => expect.unreachable()
  )
  expect(strange.push).toBe(push)
})
