import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { generateLocalKey, parseToken, readGenesis, verifyToken } from '../../src/identity/index.ts'
import { quorate } from './harness.ts'

let folder = ''
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'qt-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const path = (name: string): string => join(folder, name)
const WORDS = { QUORATE_PASSPHRASE: 'correct horse battery' }
const DAY_MS = 86_400_000

async function made(name: string, ...more: readonly string[]): Promise<void> {
  const { code } = await quorate(['init', '--name', name, '--seats', '3', '--out', path(name), ...more], { env: WORDS })
  expect(code).toBe(0)
}

const create = (name: string, ...more: readonly string[]): ReturnType<typeof quorate> => {
  const files = ['--genesis', path(`${name}/genesis.cose`), '--key', path(`${name}/issuer.key`)]
  return quorate(['token', 'create', ...files, ...more], { env: WORDS })
}

describe('up --token', () => {
  it('says what a file is that holds no token, and what it should be', async () => {
    await made('plant-7', '--plaintext-key')
    writeFileSync(path('empty'), ' \n')
    writeFileSync(path('letter'), 'dear colleague')
    for (const [file, said] of [
      ['empty', 'is empty, and should hold a token'],
      ['letter', 'holds no token: that is one line that begins with qtk1.'],
      ['plant-7/genesis.cose', 'holds no token: it is the genesis; pass it as --genesis'],
      ['plant-7/issuer.key', 'holds no token: it is a document of type key']
    ] as const) {
      const { code, err } = await quorate(['up', '--data', path('n'), '--token', path(file)])
      expect([code, err], file).toEqual([2, expect.stringContaining(`${path(file)} ${said}`)])
    }
    const piped = await quorate(['up', '--data', path('n'), '--token', '-'], { stdin: '' })
    expect(piped.err).toContain('standard input is empty')
    expect(existsSync(path('n'))).toBe(false)
  })
})

describe('token create', () => {
  it('makes a join token that the genesis proves, from a sealed key, with dates and uses as asked', async () => {
    await made('plant-7')
    const genesis = readGenesis(new Uint8Array(readFileSync(path('plant-7/genesis.cose'))))
    const before = Date.now()
    const { code, json, err } = await create('plant-7', '--role', 'voter', '--uses', '3', '--ttl', '7d', '--json')
    expect([code, err]).toEqual([0, ''])
    const [answer] = json()
    expect(answer).toMatchObject({ event: 'token', cluster: 'plant-7', role: 'voter', uses: 3, peer: null, file: null })
    const { document, token } = parseToken(answer!['token'] as string)
    expect(verifyToken(document, genesis)).toMatchObject({ kind: 'join', role: 'voter', uses: 3 })
    expect(token.tokenId).toBe(answer!['tokenId'])
    expect(token.expiresMs! - before).toBeGreaterThanOrEqual(7 * DAY_MS)
    expect(token.expiresMs! - before).toBeLessThan(7 * DAY_MS + 60_000)
    expect(parseToken(answer!['token'] as string).genesis).toBeUndefined()
  })

  it('shows people the line and what to do with it, or writes it to a file for its owner only', async () => {
    await made('plant-7', '--plaintext-key')
    const shown = await create('plant-7', '--role', 'observer', '--ttl', 'never', '--carry-genesis')
    const line = shown.out.split('\n').find((text) => text.startsWith('qtk1.'))!
    expect(parseToken(line).token).toMatchObject({ role: 'observer', uses: 1, expiresMs: undefined })
    expect(parseToken(line).genesis).toBeDefined()
    expect(shown.out).toContain('join token for one machine, role observer, without end')

    const peer = generateLocalKey().signer.peerId
    const filed = await create('plant-7', '--role', 'voter', '--peer', peer, '--out', path('t'))
    expect(filed.out).not.toContain('qtk1.')
    expect(filed.out).toContain(`quorate up --data node --token ${path('t')}`)
    expect(statSync(path('t')).mode & 0o777).toBe(0o600)
    expect(parseToken(readFileSync(path('t'), 'utf8')).token.boundPeer).toBe(peer)
    expect((await create('plant-7', '--role', 'voter', '--out', path('t'))).code).toBe(5)
  })

  it('is refused without the key of that very genesis', async () => {
    await made('plant-7', '--plaintext-key')
    await made('other', '--plaintext-key')
    const foreign = ['--genesis', path('plant-7/genesis.cose'), '--key', path('other/issuer.key'), '--role', 'voter']
    const { code, err } = await quorate(['token', 'create', ...foreign])
    expect([code, err]).toEqual([2, expect.stringContaining('is not an issuer key of plant-7')])
    const none = ['--genesis', path('plant-7/genesis.cose'), '--key', path('none'), '--role', 'voter']
    expect(await quorate(['token', 'create', ...none])).toMatchObject({ code: 2 })
  })

  it.each([
    [['--role', 'king'], 'Allowed choices are voter, observer'],
    [[], "option '--role <role>' not specified"],
    [['--role', 'voter', '--ttl', 'soon'], '7d. Or write never.'],
    [['--role', 'voter', '--uses', '0'], 'not a whole number from 1'],
    [['--role', 'voter', '--peer', 'me'], 'is not a PeerId'],
    [['--role', 'voter', '--peer', generateLocalKey().signer.peerId, '--uses', '2'], 'asks for more']
  ])('%j is refused', async (words, sentence) => {
    await made('plant-7', '--plaintext-key')
    const { code, err } = await create('plant-7', ...words)
    expect([code, err]).toEqual([2, expect.stringContaining(sentence)])
  })

  it('asks nobody where there is no terminal', async () => {
    await made('plant-7')
    writeFileSync(path('wrong'), 'wrong horse battery')
    const files = ['--genesis', path('plant-7/genesis.cose'), '--key', path('plant-7/issuer.key'), '--role', 'voter']
    const asked = await quorate(['token', 'create', ...files])
    // The key exists: whether it is protected is decided.
    expect([asked.code, asked.err]).toEqual([2, expect.not.stringContaining('--plaintext-key')])
    expect(asked.err).toContain('--passphrase-file')
    expect(await quorate(['token', 'create', ...files, '--passphrase-file', path('wrong')])).toMatchObject({ code: 3 })
  })
})
