import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createToken, fileKeyStore, parseToken, readGenesis, Secret } from '../../src/identity/index.ts'
import { forgetTokens } from '../../src/cli/new-cluster.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { quorate } from './harness.ts'

let folder = ''
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'qi-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const init = (...more: readonly string[]): Promise<Awaited<ReturnType<typeof quorate>>> =>
  quorate(['init', '--name', 'plant-7', '--out', join(folder, 'out'), ...more])

describe('init', () => {
  it('writes genesis, issuer key and one token a seat, for their owner only, and says what to do next', async () => {
    writeFileSync(join(folder, 'config.json'), '{"limit": 3}')
    const { code, out, err } = await init('--seats', '3', '--config', join(folder, 'config.json'), '--plaintext-key')
    expect([code, err]).toEqual([0, ''])
    const files = readdirSync(join(folder, 'out')).toSorted()
    expect(files).toEqual(['genesis.cose', 'issuer.key', 'seat-1.token', 'seat-2.token', 'seat-3.token'])
    for (const file of files) expect(statSync(join(folder, 'out', file)).mode & 0o777).toBe(0o600)
    const { genesis, domainId } = readGenesis(new Uint8Array(readFileSync(join(folder, 'out', 'genesis.cose'))))
    expect(genesis).toMatchObject({ name: 'plant-7', foundingSize: 3, mode: 'seats', config: '{"limit":3}' })
    for (const seat of [1, 2, 3]) {
      const text = readFileSync(join(folder, 'out', `seat-${seat}.token`), 'utf8')
      expect(text).toMatch(/^qtk1\.[A-Za-z0-9_-]+\n$/)
      const { token, genesis: carried } = parseToken(text)
      expect(token).toMatchObject({ kind: 'founding', seat, domainId })
      expect(carried?.domainId).toEqual(domainId)
      expect(out).not.toContain(text.trim())
    }
    expect(out).toContain('quorate up --data node --token')
    expect(out).toContain('NOT encrypted')
  })

  it('overwrites nothing, and writes nothing when one file is there', async () => {
    await init('--seats', '3', '--plaintext-key')
    const before = readdirSync(join(folder, 'out')).map((file) => readFileSync(join(folder, 'out', file), 'hex'))
    rmSync(join(folder, 'out', 'genesis.cose'))
    const again = await init('--seats', '3', '--plaintext-key')
    expect(again.code).toBe(5)
    expect(again.err).toContain('issuer.key exists; nothing was written')
    expect(readdirSync(join(folder, 'out'))).toHaveLength(4)
    expect(before).toHaveLength(5)
  })

  it.each([
    ['--passphrase-file', {}],
    ['QUORATE_PASSPHRASE', { QUORATE_PASSPHRASE: 'correct horse battery' }]
  ])('encrypts the issuer key with the passphrase of %s', async (source, env) => {
    writeFileSync(join(folder, 'pass'), 'correct horse battery\n')
    const file = source === '--passphrase-file' ? ['--passphrase-file', join(folder, 'pass')] : []
    const argv = ['init', '--name', 'p', '--seats', '1', '--out', join(folder, 'out'), '--json', ...file]
    const { code, json } = await quorate(argv, { env })
    expect(code).toBe(0)
    expect(json()).toMatchObject([{ event: 'initialized', issuerKeyEncrypted: true, seats: 1 }])
    const open = (text: string): Promise<unknown> =>
      fileKeyStore({
        path: join(folder, 'out', 'issuer.key'),
        type: 'issuer',
        passphrase: async () => new Secret(utf8(text))
      }).load()
    await expect(open('correct horse battery')).resolves.toBeDefined()
    await expect(open('wrong horse battery')).rejects.toMatchObject({ name: 'PassphraseError' })
  })

  it('asks at a terminal, twice, without showing what is typed', async () => {
    const argv = ['init', '--name', 'p', '--seats', '1', '--out', join(folder, 'out')]
    const { code, err, out } = await quorate(argv, { tty: true, stdin: 'secret horsf\u007Fe\rsecret horse\r' })
    expect([code, err]).toEqual([0, expect.stringContaining('Once more')])
    expect(out + err).not.toContain('horse')
  })

  it.each([
    [{ tty: true, stdin: 'first passphrase\rother passphrase\r' }, 2, 'the two passphrases differ'],
    [{ tty: true, stdin: 'short\r' }, 2, 'a passphrase of 5 characters is too short'],
    [{ tty: true, stdin: '\u0003' }, 130, ''],
    [{ stdin: '' }, 2, 'QUORATE_PASSPHRASE'],
    [{ env: { QUORATE_PASSPHRASE: 'short' } }, 2, 'too short']
  ])('writes nothing without a good passphrase: %o', async (options, code, text) => {
    const outcome = await quorate(['init', '--name', 'p', '--seats', '3', '--out', join(folder, 'out')], options)
    expect(outcome.code).toBe(code)
    expect(outcome.err).toContain(text)
    expect(readdirSync(folder)).toEqual([])
  })

  it('makes a roster of PeerIds, without tokens', async () => {
    const ids = await Promise.all(['a', 'b', 'c'].map((name) => quorate(['id', '--data', join(folder, name)])))
    const voters = ids.flatMap(({ out }) => ['--voter', out.trim()])
    const { code, out } = await init('--mode', 'roster', ...voters, '--plaintext-key')
    expect(code).toBe(0)
    expect(readdirSync(join(folder, 'out')).toSorted()).toEqual(['genesis.cose', 'issuer.key'])
    expect(out).toContain('quorate up --data node --genesis')
    const { genesis } = readGenesis(new Uint8Array(readFileSync(join(folder, 'out', 'genesis.cose'))))
    expect(genesis.roster.map(({ peerId }) => peerId)).toEqual(ids.map(({ out: id }) => id.trim()))
  })

  it('warns of an even size', async () => {
    const { out, code } = await init('--seats', '4', '--plaintext-key')
    expect([code, out]).toEqual([0, expect.stringContaining('warning: 4 founders survive 1 failures')])
  })

  it.each([
    [['--seats', '3', '--mode', 'pool'], 'mode pool is reserved'],
    [['--mode', 'pool', '--seats', '3'], 'mode pool is reserved'],
    [['--seats', '0'], 'not a whole number from 1'],
    [['--seats', '3.5'], 'not a whole number from 1'],
    [['--seats', '99'], 'not within 1 to 9'],
    [[], '--seats is missing'],
    [['--mode', 'roster'], 'needs a --voter for each seat'],
    [['--mode', 'roster', '--voter', 'nobody'], 'not the PeerId'],
    [['--seats', '2', '--voter', 'a'], '--seats 2, but 1 times --voter'],
    [['--mode', 'seats', '--seats', '2', '--voter', 'a'], '--voter is for mode roster'],
    [['--seats', '3', '--config', 'nowhere.json'], 'there is no such file'],
    [['--seats', '3', '--plaintext-key', '--passphrase-file', 'x'], 'exclude each other']
  ])('refuses %j', async (more, text) => {
    const { code, err, out } = await init(...more)
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(text)
    expect(err).toMatch(/^error: /)
  })
})

describe('the tokens of a new cluster', () => {
  it('are removed, and nothing else of what was made beside them', async () => {
    const kept = ['genesis.cose', 'issuer.key', 'my-seat-1.token', 'seat-1.token.bak', 'seat-x.token']
    mkdirSync(join(folder, 'new-cluster'))
    for (const file of [...kept, 'seat-1.token', 'seat-12.token']) writeFileSync(join(folder, 'new-cluster', file), '')
    await forgetTokens(folder)
    expect(readdirSync(join(folder, 'new-cluster')).toSorted()).toEqual(kept)
  })

  it('are none where no cluster was made', async () => {
    await forgetTokens(folder)
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('id', () => {
  it('makes the key once and prints the same PeerId ever after', async () => {
    const argv = ['id', '--data', join(folder, 'node')]
    const first = await quorate([...argv, '--json'])
    expect(first.json()).toEqual([{ peerId: expect.stringMatching(/^12D3KooW/) as unknown, created: true }])
    const again = await quorate(argv)
    expect(again.out.trim()).toBe(first.json()[0]!['peerId'])
  })
})

describe('inspect', () => {
  it('verifies a genesis and its token, on its own and from standard input', async () => {
    await init('--seats', '3', '--plaintext-key')
    const genesis = join(folder, 'out', 'genesis.cose')
    const shown = await quorate(['inspect', genesis])
    expect([shown.code, shown.err]).toEqual([0, ''])
    expect(shown.out).toContain('plant-7')
    const token = readFileSync(join(folder, 'out', 'seat-2.token'), 'utf8')
    const described = await quorate(['inspect', '-', '--genesis', genesis, '--json'], { stdin: token })
    expect(described.code).toBe(0)
    expect(described.json()).toMatchObject([{ type: 'token', verified: 'yes', facts: { seat: 2 } }])
    expect(described.out).not.toContain(token.trim())
  })

  it('finds the genesis beside a document that needs one, and one fact is one line', async () => {
    await init('--seats', '3', '--plaintext-key')
    const claimed = join(folder, 'out', 'short.token')
    const genesis = readGenesis(new Uint8Array(readFileSync(join(folder, 'out', 'genesis.cose'))))
    const key = await fileKeyStore({ path: join(folder, 'out', 'issuer.key'), type: 'issuer' }).load()
    const { text } = await createToken(genesis, [key!.signer], {
      grant: { kind: 'founding', seat: 2 },
      carryGenesis: false
    })
    writeFileSync(claimed, text.reveal())
    const shown = await quorate(['inspect', claimed])
    expect([shown.code, shown.out]).toEqual([0, expect.stringMatching(/^genesis +.*genesis\.cose\nverified +yes/m)])
    const nothing = await quorate(['inspect', '-'], { stdin: readFileSync(claimed, 'utf8') })
    expect([nothing.code, nothing.out]).toEqual([3, expect.stringContaining('proving it needs the genesis')])
    const long = (await quorate(['inspect', join(folder, 'out', 'genesis.cose')])).out
    expect(long).toMatch(/^issuers\[0\] +[0-9a-f]{64}$/m)
    expect(long).toMatch(/^roster +none$/m)
  })

  it('says 3 and why for what is damaged, foreign or not provable', async () => {
    await init('--seats', '3', '--plaintext-key')
    const bytes = readFileSync(join(folder, 'out', 'genesis.cose'))
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(join(folder, 'damaged'), bytes)
    const damaged = await quorate(['inspect', join(folder, 'damaged'), '--json'])
    expect(damaged.code).toBe(3)
    expect(damaged.json()).toMatchObject([{ type: 'genesis', verified: 'no' }])
    await quorate(['init', '--name', 'other', '--seats', '3', '--out', join(folder, 'other'), '--plaintext-key'])
    const token = join(folder, 'out', 'seat-1.token')
    const foreign = await quorate(['inspect', token, '--genesis', join(folder, 'other', 'genesis.cose'), '--json'])
    expect([foreign.code, foreign.json()[0]!['verified']]).toEqual([3, 'no'])
    const key = await quorate(['inspect', join(folder, 'out', 'issuer.key')])
    expect([key.code, key.out]).toEqual([0, expect.stringMatching(/^type +key\nkeyType +issuer\n/)])
    expect(key.out).not.toContain('verified')
    const nothing = await quorate(['inspect', '-'], { stdin: 'hello' })
    expect([nothing.code, nothing.out]).toEqual([3, expect.stringContaining('unknown')])
  })
})
