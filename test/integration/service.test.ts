/** Quorate as a guest in a libp2p node: it begins and ends with its host, however often, and however the host fails. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { memory } from '@libp2p/memory'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createGenesis, createToken, generateLocalKey, quorum } from '../../src/index.ts'
import { openDataDir } from '../../src/storage/data-dir.ts'
import { PATIENCE_MS } from './processes.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-guest-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const patience = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(PATIENCE_MS) })

/** A host that has not been started, and its guest, who founds a cluster of one. */
async function makeHost(others: Record<string, () => unknown> = {}) {
  const issuer = generateLocalKey().signer
  const genesis = await createGenesis({ name: 'guest', foundingSize: 1, createdAtMs: Date.now() }, [issuer])
  const { text } = await createToken(genesis, [issuer], { grant: { kind: 'founding', seat: 1 } })
  const host = await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(7)),
    addresses: { listen: ['/memory/quorate-guest'] },
    transports: [memory()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      quorum: quorum({
        token: text.revealText(),
        dataDir: join(folder, 'data'),
        discovery: { mdns: false }
      }),
      ...others
    }
  })
  return { host, guest: host.services.quorum }
}

/** Throws while somebody holds the directory. */
async function expectFree(): Promise<void> {
  const directory = await openDataDir(join(folder, 'data'))
  await directory.close()
}

describe('a guest', () => {
  it('lives as often as its host does, in one cluster', async () => {
    const { host, guest } = await makeHost()
    expect(() => guest.status()).toThrow('has not been started')
    const clusters = new Set<string | undefined>()
    for (let life = 1; life <= 2; life++) {
      await host.start()
      await guest.ready(patience())
      clusters.add(guest.clusterId)
      await guest.config.set({ life }, { reason: 'test', ...patience() })
      const { stopped } = guest
      await host.stop()
      await stopped
      await expect(guest.config.read()).rejects.toMatchObject({ name: 'NodeStoppedError' })
      await expectFree()
    }
    expect(clusters.size).toBe(1)
    expect(guest.config.get()?.version).toBe(3)
  })

  it('does not outlive a host whose start fails in another service', async () => {
    let broken = true
    const start = (): Promise<void> => (broken ? Promise.reject(new Error('the other one')) : Promise.resolve())
    const { host, guest } = await makeHost({ other: () => ({ start, stop: () => Promise.resolve() }) })
    await expect(host.start()).rejects.toThrow('the other one')
    await expectFree()
    broken = false
    await host.start()
    await guest.ready(patience())
    await host.stop()
    await expectFree()
  })

  it('fails the start of its host when it cannot start, and can be started when it can', async () => {
    const { host, guest } = await makeHost()
    const holder = await openDataDir(join(folder, 'data'))
    await expect(host.start()).rejects.toMatchObject({ name: 'DataDirLockedError' })
    await holder.close()
    await host.start()
    await guest.ready(patience())
    await host.stop()
  })
})
