/** A node's home on a real disk: what every start finds, what a crash between its steps leaves, and what a refusal must not change. */
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import type { VerifiedGenesis } from '../../src/identity/genesis.ts'
import { createToken } from '../../src/identity/token.ts'
import { silentLogger } from '../../src/node/defaults.ts'
import { type Home, type HomeInit, openHome } from '../../src/node/home.ts'
import { dataFiles } from '../../src/storage/data-dir.ts'
import { issuer, seatsGenesis } from '../identity/fixtures.ts'

let path: string

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'quorate-home-'))
})

afterEach(async () => {
  await rm(path, { recursive: true, force: true })
})

const seat = async (genesis: VerifiedGenesis, number: number, carryGenesis = true): Promise<string> => {
  const grant = { kind: 'founding', seat: number } as const
  return (await createToken(genesis, [issuer.signer], { grant, carryGenesis })).text.revealText()
}

const open = (init: Partial<HomeInit> = {}): Promise<Home> =>
  openHome({
    dataDir: join(path, 'data'),
    token: undefined,
    genesis: undefined,
    logger: silentLogger,
    clock: systemClock,
    startedAt: systemClock.now(),
    ...init
  })

async function openedOnce(init: Partial<HomeInit>): Promise<Home> {
  const home = await open(init)
  await home.close()
  return home
}

const held = (): Promise<readonly string[]> => readdir(join(path, 'data')).then((names) => names.toSorted())

describe('a home', () => {
  it('is the same incarnation at every start, and counts them', async () => {
    const genesis = await seatsGenesis()
    const first = await openedOnce({ token: await seat(genesis, 1) })
    const second = await openedOnce({})
    expect(second.key.signer.peerId).toBe(first.key.signer.peerId)
    expect(second.storeId).toEqual(first.storeId)
    expect(second.claim).toEqual(first.claim)
    expect([first.boot, second.boot]).toEqual([1, 2])
    expect(second.bootNonce).not.toEqual(first.bootNonce)
    expect(second.genesis?.domainId).toEqual(genesis.domainId)
  })

  it('makes nothing in place of a key that is lost', async () => {
    const token = await seat(await seatsGenesis(), 1)
    const { key } = await openedOnce({ token })
    const file = join(path, 'data', dataFiles.nodeKey)
    const kept = await readFile(file)
    await rm(file)
    const before = await held()
    for (const given of [undefined, token]) {
      await expect(open({ token: given })).rejects.toMatchObject({
        name: 'NodeKeyMissingError',
        details: { peerId: key.signer.peerId }
      })
    }
    expect(await held()).toEqual(before)
    await writeFile(file, kept, { mode: 0o600 })
    expect((await openedOnce({})).boot).toBe(2)
  })

  it('says that the log of a known store is gone, and comes back with a new disk as that says', async () => {
    const first = await openedOnce({ token: await seat(await seatsGenesis(), 1) })
    const [log, id] = [dataFiles.wal, dataFiles.storeId].map((name) => join(path, 'data', name))
    await rm(log!, { recursive: true })
    await expect(open()).rejects.toMatchObject({
      name: 'StorageMissingError',
      details: { log, storeId: id },
      nextStep: expect.stringContaining(`move ${id} away too and start again`) as string
    })
    await rm(id!)
    const again = await openedOnce({})
    expect(again.key.signer.peerId).toBe(first.key.signer.peerId)
    expect(again.storeId).not.toEqual(first.storeId)
  })

  it('takes a log that it cannot reach for no log that is gone, but one whose place leads nowhere', async () => {
    await openedOnce({ token: await seat(await seatsGenesis(), 1) })
    const log = join(path, 'data', dataFiles.wal)
    await rm(log, { recursive: true })
    // A link to itself: whatever it was is out of reach, and may be back tomorrow.
    await symlink(log, log)
    await expect(open()).rejects.toMatchObject({ name: 'StorageAccessError', details: { errno: 'ELOOP' } })
    await rm(log)
    await symlink(join(path, 'not-mounted'), log)
    await expect(open()).rejects.toMatchObject({ name: 'StorageMissingError' })
  })

  it('opens once at a time, and again after it was closed, twice or in the middle of a close', async () => {
    const token = await seat(await seatsGenesis(), 1)
    const home = await open({ token })
    await expect(open()).rejects.toMatchObject({ name: 'DataDirLockedError' })
    await Promise.all([home.close(), home.close()])
    await openedOnce({})
  })

  it('keeps a genesis that a peer brought, and what is being kept when it closes', async () => {
    const genesis = await seatsGenesis()
    const token = await seat(genesis, 1, false)
    const home = await open({ token })
    expect(home.genesis).toBeUndefined()
    const keeping = [home.keepGenesis(genesis.bytes), home.keepCertificate(new Uint8Array([1]))]
    await home.close()
    expect(await held()).toEqual(expect.arrayContaining([dataFiles.genesis, dataFiles.certificate]))
    await Promise.all(keeping)
    const next = await openedOnce({})
    expect(next.genesis?.domainId).toEqual(genesis.domainId)
    expect(next.certificate).toEqual(new Uint8Array([1]))
  })

  it('starts the same claim again after a crash at any step of its first start', async () => {
    const genesis = await seatsGenesis()
    const token = await seat(genesis, 2)
    const first = await openedOnce({ token })
    const all = join(path, 'all')
    await cp(join(path, 'data'), all, { recursive: true })
    const after = async (...missing: readonly string[]): Promise<Home> => {
      await rm(join(path, 'data'), { recursive: true })
      await cp(all, join(path, 'data'), { recursive: true })
      for (const name of missing) await rm(join(path, 'data', name))
      return openedOnce({ token })
    }
    for (const missing of [[], [dataFiles.token], [dataFiles.genesis], [dataFiles.token, dataFiles.genesis]]) {
      const next = await after(...missing)
      expect(next.claim).toEqual(first.claim)
      expect(next.boot).toBe(2)
      expect(await held()).toEqual(expect.arrayContaining([dataFiles.token, dataFiles.genesis]))
    }
  })
})

describe('what is refused', () => {
  it('is not kept: a token for another seat than the claim was made for', async () => {
    const genesis = await seatsGenesis()
    const [right, wrong] = [await seat(genesis, 1), await seat(genesis, 2)]
    await openedOnce({ token: right })
    await rm(join(path, 'data', dataFiles.token))
    await expect(open({ token: wrong })).rejects.toMatchObject({ name: 'CredentialMismatchError' })
    expect(await held()).not.toContain(dataFiles.token)
    await openedOnce({ token: right })
  })

  it('is not kept: a token of another cluster than the log was written for', async () => {
    const right = await seat(await seatsGenesis(), 1)
    const wrong = await seat(await seatsGenesis({ name: 'another' }), 1)
    await openedOnce({ token: right })
    await rm(join(path, 'data', dataFiles.token))
    await rm(join(path, 'data', dataFiles.genesis))
    await expect(open({ token: wrong })).rejects.toThrow()
    expect(await held()).not.toContain(dataFiles.token)
    expect(await held()).not.toContain(dataFiles.genesis)
    await openedOnce({ token: right })
  })

  it('leaves the directory free, whatever it was', async () => {
    const genesis = await seatsGenesis()
    const token = await seat(genesis, 1)
    const other = await seatsGenesis({ name: 'another' })
    await expect(open()).rejects.toMatchObject({ name: 'NoCredentialError' })
    await expect(open({ token: 'qtk1.rubbish' })).rejects.toMatchObject({ name: 'TokenTextError' })
    await expect(open({ token, genesis: other.bytes })).rejects.toMatchObject({ name: 'CredentialMismatchError' })
    await expect(open({ token, genesis: new Uint8Array([1, 2]) })).rejects.toThrow()
    const home = await open({ token })
    await home.close()
    await expect(open({ token: await seat(other, 1) })).rejects.toMatchObject({ name: 'CredentialMismatchError' })
    await writeFile(join(path, 'data', dataFiles.token), '')
    await expect(open()).rejects.toMatchObject({ name: 'TokenTextError' })
    await writeFile(join(path, 'data', dataFiles.token), `${token}\n`)
    const key = await readFile(join(path, 'data', dataFiles.nodeKey))
    await writeFile(join(path, 'data', dataFiles.nodeKey), key.subarray(0, 10))
    await expect(open()).rejects.toThrow()
    await writeFile(join(path, 'data', dataFiles.nodeKey), key)
    expect((await openedOnce({})).claim).toEqual(home.claim)
  })

  it('is a key that the log was not written with', async () => {
    const token = await seat(await seatsGenesis(), 1)
    await openedOnce({ token })
    await open({ dataDir: join(path, 'other'), token }).then((other) => other.close())
    await cp(join(path, 'other', dataFiles.nodeKey), join(path, 'data', dataFiles.nodeKey))
    await expect(open()).rejects.toMatchObject({ name: 'StorageForeignError' })
  })
})
