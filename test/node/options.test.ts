/** What a program may pass and what it may not: each wrong value is named, and a node that cannot be made leaves nothing open. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGenesis as signGenesis } from '../../src/identity/genesis.ts'
import { generateLocalKey } from '../../src/identity/signer.ts'
import { createToken } from '../../src/identity/token.ts'
import { createGenesis, createNode, type NodeInit } from '../../src/index.ts'
import { Cluster } from '../../src/testing/cluster.ts'
import { createLocalCluster } from '../../src/testing/index.ts'

let home: string
/** Nothing is made there. */
const NOWHERE = join(tmpdir(), `quorate-options-nowhere-${process.pid}`)
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'quorate-options-'))
})
afterAll(() => {
  for (const made of [home, NOWHERE]) rmSync(made, { recursive: true, force: true })
})

const issuer = generateLocalKey().signer
const plan = { name: 'plant', foundingSize: 3, createdAtMs: 1_795_000_000_000 }
const needsX = { schema: { type: 'object', required: ['x'] }, config: {} }

async function tokenOf(genesis: Awaited<ReturnType<typeof signGenesis>>): Promise<string> {
  const { text } = await createToken(genesis, [issuer], { grant: { kind: 'founding', seat: 1 }, carryGenesis: true })
  return new TextDecoder().decode(text.reveal())
}

/** Files below a directory that this process holds open. */
function openBelow(directory: string): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(directory) ? [path] : []
    } catch {
      // The one that lists them is gone again.
      return []
    }
  })
}

describe('the options of a node', () => {
  it.each<readonly [string, unknown, string]>([
    ['nothing', undefined, 'options is undefined; it is an object with token'],
    ['a word that is none', { datadir: 'x' }, 'unknown option datadir; the options are token'],
    ['no directory', { dataDir: 7 }, 'dataDir is 7: name a directory'],
    ['a directory without a name', { dataDir: ' ' }, 'dataDir is empty: name a directory'],
    ['a token as bytes', { dataDir: NOWHERE, token: new Uint8Array(2) }, 'token is not a text'],
    ['a genesis as text', { dataDir: NOWHERE, genesis: 'g' }, 'genesis is "g"; it is the bytes'],
    [
      'seeds as text',
      { dataDir: NOWHERE, discovery: { seeds: 'localhost:1' } },
      'discovery.seeds is "localhost:1"; it is a list'
    ],
    [
      'a seed as a number',
      { dataDir: NOWHERE, discovery: { seeds: [1] } },
      'discovery.seeds is a list of 1; it is a list of texts'
    ],
    [
      'discovery as a list',
      { dataDir: NOWHERE, discovery: [] },
      'discovery is a list of 0; it is an object with mdns, seeds'
    ],
    ['a misspelt source', { dataDir: NOWHERE, discovery: { mDNS: false } }, 'unknown option mDNS of discovery'],
    [
      'an interface as text',
      { dataDir: NOWHERE, discovery: { mdns: { interfaces: 'lo' } } },
      'discovery.mdns.interfaces is "lo"'
    ],
    [
      'listen as text',
      { dataDir: NOWHERE, listen: '/ip4/127.0.0.1/tcp/0' },
      'listen is "/ip4/127.0.0.1/tcp/0"; it is a list'
    ],
    ['a genesis as an object', { dataDir: NOWHERE, genesis: {} }, 'it is the bytes'],
    ['discovery as nothing', { dataDir: NOWHERE, discovery: null }, 'discovery is null; it is an object'],
    [
      'a misspelt list of interfaces',
      { dataDir: NOWHERE, discovery: { mdns: { interface: ['lo'] } } },
      'unknown option interface of discovery.mdns'
    ],
    ['a timing that is none', { dataDir: NOWHERE, timing: 'moon' }, 'timing is moon; it is one of'],
    ['snapshots as nothing', { dataDir: NOWHERE, snapshots: null }, 'snapshots is null; it is an object'],
    [
      'a logger that cannot say what is worst',
      { dataDir: NOWHERE, logger: { debug() {}, info() {}, warn() {} } },
      'without a function error'
    ],
    ['no logger at all', { dataDir: NOWHERE, logger: null }, 'logger is null without a function debug'],
    [
      'a transport that is none beside one',
      { dataDir: NOWHERE, transports: [() => {}, 'tcp'] },
      'transports is a list of 2'
    ],
    [
      'a priority beyond',
      { dataDir: NOWHERE, priority: 1_001 },
      'priority is 1001; it is a whole number from 0 to 1000'
    ],
    ['snapshots as a number', { dataDir: NOWHERE, snapshots: 5 }, 'snapshots is 5; it is an object'],
    ['an unknown snapshot rule', { dataDir: NOWHERE, snapshots: { often: 5 } }, 'snapshots.often is unknown'],
    ['half a logger', { dataDir: NOWHERE, logger: { info() {} } }, 'without a function debug'],
    ['events that are none', { dataDir: NOWHERE, events: {} }, 'it is an EventTarget'],
    [
      'a transport that is none',
      { dataDir: NOWHERE, transports: ['tcp'] },
      'transports is a list of 1; it is a list of libp2p'
    ]
  ])('%s', async (_, init, sentence) => {
    const made = createNode(init as NodeInit)
    await expect(made).rejects.toThrow(sentence)
    await expect(made).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION', nextStep: expect.any(String) as string })
    expect(existsSync(NOWHERE)).toBe(false)
  })
})

describe.skipIf(!existsSync('/proc/self/fd'))('a node that cannot be made', () => {
  const cases: Readonly<Record<string, (dataDir: string) => Promise<Partial<NodeInit>>>> = {
    'without a credential': async () => ({}),
    'with a token that is none': async () => ({ token: 'qtk1.nonsense' }),
    'with the genesis of another cluster': async () => {
      const token = await tokenOf(await signGenesis(plan, [issuer]))
      return { token, genesis: (await signGenesis(plan, [issuer])).bytes }
    },
    'with a config that breaks its schema': async () => ({
      token: await tokenOf(await signGenesis({ ...plan, ...needsX }, [issuer]))
    }),
    'with an address that is none': async () => ({
      token: await tokenOf(await signGenesis(plan, [issuer])),
      listen: ['/nonsense']
    }),
    'with an address of somebody else': async () => ({
      token: await tokenOf(await signGenesis(plan, [issuer])),
      listen: ['/ip4/203.0.113.7/tcp/4001']
    }),
    'with a log that is none': async (dataDir) => {
      const token = await tokenOf(await signGenesis(plan, [issuer]))
      const init = { dataDir, token, listen: ['/ip4/127.0.0.1/tcp/0'], discovery: { mdns: false } }
      await (await createNode(init)).stop()
      const segment = readdirSync(join(dataDir, 'wal')).find((name) => !name.endsWith('.snapshot'))!
      writeFileSync(join(dataDir, 'wal', segment), 'x'.repeat(4_096))
      return { token }
    },
    'with options that change while they are read': async () => {
      let asked = 0
      const discovery = {
        mdns: false,
        get seeds(): readonly string[] {
          // Twice it is checked, then it is used.
          if (++asked > 2) throw new Error('seen twice')
          return []
        }
      }
      return { token: await tokenOf(await signGenesis(plan, [issuer])), discovery }
    }
  }

  it.each(Object.entries(cases))('%s leaves no file open and no lock', async (name, prepare) => {
    const dataDir = join(home, name.replaceAll(' ', '-'))
    mkdirSync(dataDir, { mode: 0o700 })
    const init = { dataDir, discovery: { mdns: false }, ...(await prepare(dataDir)) }
    const failed = await createNode(init).then(
      (node) => node.stop().then(() => undefined),
      (error: unknown) => error
    )
    expect(failed).toBeInstanceOf(Error)
    expect(openBelow(dataDir)).toEqual([])
    // The second time it fails for the same reason, and not because of the lock.
    await expect(createNode(init)).rejects.toThrow(
      name.includes('change') ? /./ : (failed as Error).message.slice(0, 40)
    )
    expect(openBelow(dataDir)).toEqual([])
  })

  it('would be seen: a node that runs has files open', async () => {
    const dataDir = join(home, 'runs')
    const token = await tokenOf(await signGenesis(plan, [issuer]))
    const node = await createNode({ dataDir, token, listen: ['/ip4/127.0.0.1/tcp/0'], discovery: { mdns: false } })
    expect(openBelow(dataDir).length).toBeGreaterThan(0)
    await node.stop()
    expect(openBelow(dataDir)).toEqual([])
  })
})

describe('a genesis that no node would start with', () => {
  it.each([
    ['a config that breaks the schema', needsX, { code: 'ERR_CONFIG_INVALID' }],
    ['a schema that cannot be used', { schema: { type: 'objekt' } }, { code: 'ERR_CONFIG_SCHEMA' }]
  ])('%s is refused before anybody has it', async (_, given, error) => {
    await expect(createGenesis({ ...plan, ...given }, [issuer])).rejects.toMatchObject(error)
    await expect(createLocalCluster(given)).rejects.toMatchObject(error)
  })

  it('is the error that a cluster of it ends with, and nothing that its end runs into', async () => {
    const genesis = await signGenesis({ ...plan, ...needsX }, [issuer])
    const dataDir = join(home, 'cluster')
    mkdirSync(dataDir, { mode: 0o700 })
    const init = {
      genesis,
      issuer,
      dataDir,
      isTemporary: true,
      priorities: [],
      delayMs: 0,
      snapshots: undefined,
      logger: undefined
    }
    const cluster = new Cluster(init)
    await expect(cluster.found(3)).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' })
    await cluster.close()
    expect(existsSync(dataDir)).toBe(false)
  })
})
