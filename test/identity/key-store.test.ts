import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { toBase64Url, toHex } from '../../src/core/bytes.ts'
import { QuorateError } from '../../src/core/errors.ts'
import { KeyFileInvalidError, PassphraseError } from '../../src/identity/key-file.ts'
import {
  fileKeyStore,
  KeyExistsError,
  KeyFileAccessError,
  KeyFileUnsafeError,
  memoryKeyStore
} from '../../src/identity/key-store.ts'
import { Secret } from '../../src/identity/secret.ts'
import { keyOf } from './fixtures.ts'

let dir: string
let path: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'quorate-key-'))
  path = join(dir, 'node.key')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const passphrase = Secret.ofText('correct horse battery staple')
const key = keyOf('kept')
const plain = (): ReturnType<typeof fileKeyStore> => fileKeyStore({ path, type: 'node' })
const sealed = (given: Secret | undefined = passphrase): ReturnType<typeof fileKeyStore> =>
  fileKeyStore({ path, type: 'issuer', seal: true, passphrase: async () => given })

describe('a plain key', () => {
  it('is kept for its owner alone, and comes back', async () => {
    await plain().create(key)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const back = await plain().load()
    expect(back?.signer.peerId).toBe(key.signer.peerId)
    expect(toHex(back!.seed.reveal())).toBe(toHex(key.seed.reveal()))
    expect(readdirSync(dir)).toEqual(['node.key'])
  })

  it('is one line that says what it is', async () => {
    await plain().create(key)
    expect(readFileSync(path, 'utf8')).toMatchInlineSnapshot(`
      "{"cipher":"none","publicKey":"U1ZzfIOuPZZ0CeHYBegyxRVwOUYmy1dNDu8zo3CD4pU","quorate-key":1,"seed":"pfGnd_TsnwUFPMGj36IjACTIslsVykpIu8TwN70m8Aw","type":"node"}
      "
    `)
  })

  it('is private also where the umask is open', async () => {
    const before = process.umask(0)
    try {
      await plain().create(key)
    } finally {
      process.umask(before)
    }
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('is never overwritten, not even by two at once', async () => {
    await plain().create(key)
    const before = readFileSync(path)
    await expect(plain().create(keyOf('other'))).rejects.toBeInstanceOf(KeyExistsError)
    expect(readFileSync(path).equals(before)).toBe(true)
    rmSync(path)
    const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd'].map((name) => plain().create(keyOf(name))))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await plain().load())?.signer.peerId).toBeDefined()
    expect(readdirSync(dir)).toEqual(['node.key'])
  })

  it('is absent when nothing was kept', async () => {
    expect(await plain().load()).toBeUndefined()
  })

  it.each([0o640, 0o604, 0o660, 0o644, 0o620])(
    'is refused with mode %o, which is named with its cure',
    async (mode) => {
      await plain().create(key)
      chmodSync(path, mode)
      const error = await failure(plain().load())
      expect(error).toBeInstanceOf(KeyFileUnsafeError)
      expect(error.message).toContain(`mode 0${mode.toString(8)}`)
      expect(error.nextStep).toContain(`chmod 600 ${path}`)
    }
  )

  it('is refused behind a symbolic link, in a directory, and where nothing can be written', async () => {
    await plain().create(key)
    symlinkSync(path, join(dir, 'link'))
    const link = await failure(fileKeyStore({ path: join(dir, 'link'), type: 'node' }).load())
    expect(link).toBeInstanceOf(KeyFileUnsafeError)
    expect(link.message).toMatch(/symbolic link/)
    const directory = await failure(fileKeyStore({ path: dir, type: 'node' }).load())
    expect(directory.message).toMatch(/not a regular file/)
    const nowhere = await failure(fileKeyStore({ path: join(dir, 'no', 'such'), type: 'node' }).create(key))
    expect(nowhere).toBeInstanceOf(KeyFileAccessError)
    expect(nowhere.details['errno']).toBe('ENOENT')
    await expect(fileKeyStore({ path: join(dir, 'link'), type: 'node' }).create(key)).rejects.toThrow(KeyExistsError)
  })

  it('is refused when the file was damaged or is something else', async () => {
    await plain().create(key)
    const line = readFileSync(path, 'utf8')
    const damaged: readonly (readonly [string, RegExp])[] = [
      ['', /not JSON/],
      ['[]', /not a JSON object/],
      [line.slice(0, 40), /not JSON/],
      [line.replace('"quorate-key":1', '"quorate-key":2'), /version 2/],
      [line.replace('"none"', '"rot13"'), /cipher rot13 is not known/],
      [line.replace('"type":"node"', '"type":"issuer"'), /type issuer, and one of type node/],
      [line.replace(/"seed":"./, (found) => (found.endsWith('A') ? '"seed":"B' : '"seed":"A')), /does not belong/],
      [line.replace('{', '{"extra":1,'), /"extra" is not known/],
      ['x'.repeat(5000), /5000 bytes, at most 4096/]
    ]
    for (const [content, message] of damaged) {
      writeFileSync(path, content)
      const error = await failure(plain().load())
      expect(error, content).toBeInstanceOf(KeyFileInvalidError)
      expect(error.message).toMatch(message)
    }
  })
})

describe('a sealed key', () => {
  it('opens with its passphrase and no other', async () => {
    await sealed().create(key)
    expect((await sealed().load())?.signer.peerId).toBe(key.signer.peerId)
    const wrong = await failure(sealed(Secret.ofText('wrong')).load())
    expect(wrong).toBeInstanceOf(PassphraseError)
    expect(wrong.message).toMatch(/the passphrase does not open/)
    const none = await failure(fileKeyStore({ path, type: 'issuer' }).load())
    expect(none.message).toMatch(/no passphrase was given/)
    expect(readFileSync(path, 'utf8')).not.toContain(toBase64Url(key.seed.reveal()))
  })

  it('is not opened after any of its parts was exchanged', async () => {
    await sealed().create(key)
    const record = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    const other = toBase64Url(keyOf('other').signer.publicKey)
    for (const change of [{ publicKey: other }, { logN: 16 }, { salt: 'A'.repeat(22) }, { nonce: 'A'.repeat(16) }]) {
      writeFileSync(path, JSON.stringify({ ...record, ...change }))
      await expect(sealed().load(), Object.keys(change)[0]).rejects.toThrow(PassphraseError)
    }
    writeFileSync(path, JSON.stringify({ ...record, logN: 40 }))
    await expect(sealed().load()).rejects.toThrow(/not an integer within 14 to 20/)
  })

  it('is not made without a passphrase', async () => {
    await expect(fileKeyStore({ path, type: 'issuer', seal: true }).create(key)).rejects.toThrow(KeyFileUnsafeError)
    expect(readdirSync(dir)).toEqual([])
  })
})

describe('secrets', () => {
  it('are not shown by anything that holds a key, nor by any error of the key store', async () => {
    await plain().create(key)
    const loaded = await plain().load()
    const line = readFileSync(path, 'utf8')
    const errors: unknown[] = []
    for (const content of [line.slice(0, -3), line.replace('"none"', '"other"'), line.replace('seed', 'sead')]) {
      writeFileSync(path, content)
      errors.push(await failure(plain().load()))
    }
    const seed = key.seed.reveal()
    const forms = [toHex(seed), toBase64Url(seed).slice(0, 16), [...seed.subarray(0, 5)].join(', ')]
    for (const value of [loaded, loaded?.seed, loaded?.signer, memoryKeyStore(loaded), passphrase, ...errors]) {
      const output = [
        inspect(value, { depth: 9, showHidden: true, getters: true }),
        JSON.stringify(value),
        String(value)
      ].join('\n')
      for (const form of [...forms, 'correct horse']) expect(output).not.toContain(form)
    }
    expect(String(loaded?.seed)).toBe('[redacted]')
    expect(Object.keys(loaded!.seed)).toEqual([])
  })

  it('are erased on request', () => {
    const secret = new Secret(Uint8Array.of(1, 2, 3))
    secret.erase()
    expect([...secret.reveal()]).toEqual([0, 0, 0])
  })
})

async function failure(promise: Promise<unknown>): Promise<QuorateError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof QuorateError) return error
    throw error
  }
  throw new Error('it should have failed')
}
