/** Damage at rest: every byte of the log, sectors, whole files. Acknowledged data comes back as it was, or the log refuses. */
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describeState, randomBatch, StorageModel } from '../../src/conformance/storage-model.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { seededRandom } from '../../src/core/random.ts'
import type { StoreOwner, WriteBatch } from '../../src/storage/port.ts'
import { segmentPath } from '../../src/storage/wal/directory.ts'
import { createSimulatedDisk, openOn, owner, ownerOf, walDirectory } from './harness.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

const first = segmentPath(walDirectory, 1)
const refusals = ['StorageCorruptError', 'StorageForeignError']

const vote = (text: string): WriteBatch => ({ cells: [{ name: 'vote', value: utf8(text) }] })

/** One segment with a few frames; `sealed`: the process stopped cleanly. */
async function smallLogOf(
  batches: readonly WriteBatch[],
  sealed: boolean,
  of: StoreOwner = owner
): Promise<SimulatedDisk> {
  const disk = await createSimulatedDisk()
  const log = await openOn(disk, { growBytes: 1024, segmentBytes: 1 << 20, owner: of })
  for (const batch of batches) await log.write(batch)
  if (sealed) await log.close()
  return disk
}

const batches: readonly WriteBatch[] = [
  vote('one'),
  { entries: [{ index: 1, term: 1, type: 0, data: utf8('first') }] },
  { ...vote('two'), entries: [{ index: 2, term: 1, type: 2, data: new Uint8Array(5) }] },
  vote('three')
]
const expected = describeState(StorageModel.after(batches))

/** The state, or the name of the refusal. Anything else is thrown. */
async function stateOrRefusal(disk: SimulatedDisk): Promise<string> {
  try {
    return describeState((await openOn(disk)).recovered)
  } catch (error) {
    if (error instanceof Error && refusals.includes(error.name)) return error.name
    throw error
  }
}

const frameMark = '\xf7QFR'

const marksIn = (disk: SimulatedDisk): number[] =>
  Array.from(
    Buffer.from(disk.content(first))
      .toString('latin1')
      .matchAll(/\xf7QFR/g),
    (match) => match.index
  )

const usedBytes = (disk: SimulatedDisk): number => disk.content(first).findLastIndex((byte) => byte !== 0) + 1

describe('bit rot', () => {
  test.each([{ sealed: true }, { sealed: false }])(
    'every flipped bit of a log is found (sealed: $sealed)',
    async ({ sealed }) => {
      const disk = await smallLogOf(batches, sealed)
      for (let at = 0; at < usedBytes(disk); at++) {
        for (let bit = 0; bit < 8; bit++) {
          const rotten = disk.clone()
          rotten.edit(first, (bytes) => bytes.fill(bytes[at]! ^ (1 << bit), at, at + 1))
          const outcome = await stateOrRefusal(rotten)
          // A seal holds nothing: what comes back without it is all there was.
          if (!refusals.includes(outcome)) expect.fail(`bit ${bit} of byte ${at} was not noticed`)
        }
      }
    }
  )

  test('a flipped bit in the space written ahead changes nothing, or is refused', async () => {
    const disk = await smallLogOf(batches, false)
    for (let at = usedBytes(disk); at < disk.content(first).byteLength; at++) {
      const rotten = disk.clone()
      rotten.edit(first, (bytes) => bytes.fill(4, at, at + 1))
      expect([expected, ...refusals]).toContain(await stateOrRefusal(rotten))
    }
  })

  test('random damage of any length never changes what was acknowledged before the last frame', async () => {
    const property = fc.asyncProperty(
      fc.nat(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.uint8Array({ minLength: 1, maxLength: 700 }),
      fc.boolean(),
      async (seed, where, garbage, zeros) => {
        const random = seededRandom(seed)
        const history: WriteBatch[] = []
        for (let i = 0; i < 8; i++) history.push(randomBatch(random, StorageModel.after(history)))
        const disk = await smallLogOf(history, false)
        const used = usedBytes(disk)
        disk.edit(first, (bytes) => {
          bytes.set(
            zeros ? garbage.map(() => 0) : garbage.subarray(0, used),
            Math.floor(where * Math.max(0, used - garbage.byteLength))
          )
          return bytes
        })
        const all = describeState(StorageModel.after(history))
        const withoutLast = describeState(StorageModel.after(history.slice(0, -1)))
        // Zeros may swallow the last frame: the one case that cannot be told from a torn write.
        expect([all, ...refusals, ...(zeros ? [withoutLast] : [])]).toContain(await stateOrRefusal(disk))
      }
    )
    await fc.assert(property, { numRuns: 300 })
  })

  test('the stated bound: the last frame of a killed process is lost without a word when its sectors read as zeros', async () => {
    const long = { entries: [{ index: 3, term: 1, type: 0, data: utf8('x'.repeat(2000)) }] }
    const killed = await smallLogOf([...batches, long], false)
    const stopped = await smallLogOf([...batches, long], true)
    const zero = (bytes: Uint8Array): Uint8Array => bytes.fill(0, 1024, 1536)
    killed.edit(first, zero)
    stopped.edit(first, zero)
    const { recovered } = await openOn(killed)
    expect(describeState(recovered)).toBe(expected)
    expect(recovered.tornBytes).toBeGreaterThan(2000)
    expect(await stateOrRefusal(stopped)).toBe('StorageCorruptError')
  })

  test('the stated bound: a file that is cut short is an older state', async () => {
    const disk = await smallLogOf(batches, true)
    disk.edit(first, (bytes) => bytes.slice(0, usedBytes(disk) - 150))
    const { recovered } = await openOn(disk)
    const older = batches.map((_, i) => describeState(StorageModel.after(batches.slice(0, i))))
    expect(older).toContain(describeState(recovered))
  })

  test('the last frame with all of its sectors there is damage, not a torn tail, even when it holds zeros', async () => {
    const zeros = { entries: [{ index: 3, term: 1, type: 0, data: new Uint8Array(3000).fill(7, 0, 10) }] }
    const disk = await smallLogOf([...batches, zeros], false)
    const at = disk.content(first).findLastIndex((byte) => byte === 7)
    disk.edit(first, (bytes) => bytes.fill(6, at, at + 1))
    expect(await stateOrRefusal(disk)).toBe('StorageCorruptError')
  })

  test('a frame that lost a sector is damage when the frame behind it is there, readable or not', async () => {
    const long = { entries: [{ index: 3, term: 1, type: 0, data: utf8('x'.repeat(2000)) }] }
    const disk = await smallLogOf([...batches, long, vote('later')], false)
    disk.edit(first, (bytes) => bytes.fill(0, 1024, 1536))
    const both = disk.clone()
    const header = Buffer.from(disk.content(first)).lastIndexOf(frameMark, undefined, 'latin1')
    both.edit(first, (bytes) => bytes.fill(0x77, header + 8, header + 9))
    for (const damaged of [disk, both]) expect(await stateOrRefusal(damaged)).toBe('StorageCorruptError')
  })

  test('a frame whose header lies in a lost sector is damage when a later frame can be read', async () => {
    const long = { entries: [{ index: 3, term: 1, type: 0, data: utf8('x'.repeat(2000)) }] }
    const disk = await smallLogOf([...batches, long, vote('later')], false)
    const at = marksIn(disk).at(-2)!
    disk.edit(first, (bytes) => bytes.fill(0, at, Math.ceil((at + 1) / 512) * 512))
    await expect(openOn(disk)).rejects.toMatchObject({
      name: 'StorageCorruptError',
      details: { offset: at, reason: expect.stringContaining('written after it was synced') as string }
    })
  })

  test('the error names file, offset and next step', async () => {
    const disk = await smallLogOf(batches, false)
    disk.edit(first, (bytes) => bytes.fill(0x55, 330, 331))
    await expect(openOn(disk)).rejects.toMatchObject({
      code: 'ERR_STORAGE_CORRUPT',
      details: { file: first, offset: expect.any(Number) as number },
      nextStep: expect.stringContaining('new incarnation') as string
    })
  })
})

/** A log of several segments. */
async function longLog(seed: string, of: StoreOwner = owner, lives = 1): Promise<SimulatedDisk> {
  const random = seededRandom(seed)
  const disk = await createSimulatedDisk()
  for (let life = 0; life < lives; life++) {
    const log = await openOn(disk, { segmentBytes: 2048, owner: of })
    const model = StorageModel.of(log.recovered)
    for (let i = 0; i < 40; i++) {
      const batch = randomBatch(random, model)
      model.apply(batch)
      await log.write(batch)
    }
    await log.close()
  }
  return disk
}

const copyFile = (from: SimulatedDisk, to: SimulatedDisk, path: string): void =>
  to.edit(path, () => from.content(path).slice())

describe('files that are not ours, or not in their place', () => {
  test.each([
    { what: 'domain', other: { ...owner, domainId: new Uint8Array(32) } },
    { what: 'node', other: { ...owner, peerId: '12D3KooWmallory' } },
    { what: 'store', other: { ...owner, storeId: new Uint8Array(16) } }
  ])('a log of another $what is refused', async ({ what, other }) => {
    await expect(openOn(await smallLogOf(batches, true), { owner: other })).rejects.toMatchObject({
      name: 'StorageForeignError',
      details: { what }
    })
  })

  test.each([1, 2, 3])('segment %i of another node is refused', async (segment) => {
    const disk = await longLog('a')
    copyFile(await longLog('a', ownerOf('mallory')), disk, segmentPath(walDirectory, segment))
    await expect(openOn(disk)).rejects.toMatchObject({ name: 'StorageForeignError' })
  })

  test('a segment in the place of another is refused', async () => {
    const disk = await longLog('a')
    disk.edit(segmentPath(walDirectory, 3), () => disk.content(segmentPath(walDirectory, 2)).slice())
    await expect(openOn(disk)).rejects.toMatchObject({
      name: 'StorageForeignError',
      details: { what: 'place in the log' }
    })
  })

  test('a segment of another history of the same store is refused', async () => {
    const disk = await longLog('a')
    copyFile(await longLog('b'), disk, segmentPath(walDirectory, 2))
    await expect(openOn(disk)).rejects.toMatchObject({ name: 'StorageForeignError', details: { what: 'history' } })
  })

  test('an older, shorter copy of a segment that is not the last is refused', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk, { segmentBytes: 2048 })
    await log.write({ entries: [{ index: 1, term: 1, type: 0, data: utf8('old') }] })
    const backup = disk.content(first).slice()
    for (let i = 0; i < 200; i++) await log.write(vote(`new ${i}`))
    await log.close()
    disk.edit(first, () => backup)
    expect(refusals).toContain(await stateOrRefusal(disk))
  })

  test.each([1, 2])('a missing segment %i is refused', async (segment) => {
    const disk = await longLog('a')
    await disk.remove(segmentPath(walDirectory, segment))
    await expect(openOn(disk)).rejects.toMatchObject({ name: 'StorageCorruptError' })
  })

  test('a log that has vanished is not a new log', async () => {
    const disk = await longLog('a')
    for (const name of await disk.list(walDirectory)) await disk.remove(`${walDirectory}/${name}`)
    await expect(openOn(disk)).rejects.toMatchObject({
      name: 'StorageCorruptError',
      message: expect.stringContaining('gone') as string
    })
  })

  test('a file of another kind, and one of a later format, are refused by name', async () => {
    const disk = await smallLogOf(batches, true)
    const text = disk.clone()
    text.edit(first, () => utf8('{"this":"is not a log"}'.repeat(40)))
    await expect(openOn(text)).rejects.toMatchObject({ name: 'StorageCorruptError', details: { offset: 0 } })
    const later = disk.clone()
    later.edit(first, (bytes) => {
      const view = new DataView(bytes.buffer)
      view.setUint16(8, 2)
      view.setUint32(252, crc32(bytes.subarray(0, 252)))
      return bytes
    })
    await expect(openOn(later)).rejects.toMatchObject({
      name: 'StorageForeignError',
      details: { what: 'format version', expected: '1', found: '2' }
    })
  })

  test('a frame of another history with the right number is refused', async () => {
    const disk = await smallLogOf([vote('a'), vote('b'), vote('c')], false)
    const other = await smallLogOf([vote('a'), vote('x'), vote('y')], false)
    const at = marksIn(disk)[3]!
    disk.edit(first, (bytes) => (bytes.set(other.content(first).subarray(at), at), bytes))
    await expect(openOn(disk)).rejects.toMatchObject({
      name: 'StorageCorruptError',
      message: expect.stringMatching(/frame 4 after .* stands where frame 4 after/) as string
    })
  })

  test('a frame written in the place of another (misdirected write) is refused', async () => {
    const disk = await smallLogOf([vote('a'), vote('b'), vote('c'), vote('d')], false)
    disk.edit(first, (bytes) => {
      const marks = marksIn(disk)
      const size = marks[2]! - marks[1]!
      bytes.copyWithin(marks[3]!, marks[2]!, marks[2]! + size)
      return bytes
    })
    await expect(openOn(disk)).rejects.toMatchObject({
      name: 'StorageCorruptError',
      message: expect.stringMatching(/frame 3 .* stands where frame 4/) as string
    })
  })
})
