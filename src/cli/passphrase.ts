/**
 * Where the passphrase of an issuer key comes from: --passphrase-file, QUORATE_PASSPHRASE, or a person at a terminal, in
 * this order. It is never an argument: arguments are seen by every user of the machine.
 */
import { QuorateError } from '../core/errors.ts'
import { Interrupted } from './cli-errors.ts'
import type { Io, TextInput } from './io.ts'
import { readSource } from './sources.ts'

const PASSPHRASE_CHARS_MIN = 8

/** There is no terminal to ask at and no other source. */
export class PassphraseNeededError extends QuorateError {
  /** `isNew`: the key is being made, and could be left unprotected. */
  constructor(isNew: boolean) {
    super(
      'PassphraseNeededError',
      'ERR_PASSPHRASE_NEEDED',
      'the issuer key needs a passphrase, and there is no terminal to ask at',
      {
        nextStep: isNew
          ? 'Set QUORATE_PASSPHRASE, give --passphrase-file FILE, or accept an unprotected key with --plaintext-key.'
          : 'Set QUORATE_PASSPHRASE, or give --passphrase-file FILE: the passphrase that the key was made with.'
      }
    )
  }
}

/** Too short, or not typed the same twice. */
export class PassphraseRefusedError extends QuorateError {
  constructor(message: string) {
    super('PassphraseRefusedError', 'ERR_PASSPHRASE_REFUSED', message, {
      nextStep: `Choose one of ${PASSPHRASE_CHARS_MIN} characters or more; a few random words are good.`
    })
  }
}

/** From the file or the environment; undefined when neither is given. */
export async function givenPassphrase(io: Io, file: string | undefined): Promise<string | undefined> {
  const text =
    file === undefined
      ? io.env['QUORATE_PASSPHRASE']
      : (await readSource(io, file, 'the passphrase file')).toString().replace(/\r?\n$/, '')
  return text === undefined ? undefined : checked(text)
}

/** The given one, or one that a person types twice. */
export async function newPassphrase(io: Io, file: string | undefined): Promise<string> {
  const given = await givenPassphrase(io, file)
  if (given !== undefined) return given
  if (io.stdin.isTTY !== true || io.stderr.isTTY !== true) throw new PassphraseNeededError(true)
  const first = checked(await askHidden(io, 'Passphrase for the issuer key: ', true))
  if ((await askHidden(io, 'Once more: ', true)) !== first)
    throw new PassphraseRefusedError('the two passphrases differ')
  return first
}

/** The given one, or one that a person types: of a key that exists. */
export async function knownPassphrase(io: Io, file: string | undefined): Promise<string> {
  const given = await givenPassphrase(io, file)
  if (given !== undefined) return given
  if (io.stdin.isTTY !== true || io.stderr.isTTY !== true) throw new PassphraseNeededError(false)
  return askHidden(io, 'Passphrase of the issuer key: ', false)
}

function checked(text: string): string {
  if (text.length >= PASSPHRASE_CHARS_MIN) return text
  throw new PassphraseRefusedError(`a passphrase of ${text.length} characters is too short`)
}

const CTRL_C = '\u0003'
const CTRL_U = '\u0015'
const ENTER = new Set(['\r', '\n', '\u0004'])
const ERASE = new Set(['\u007F', '\b'])

/** Reads one line from the terminal without showing it. */
async function askHidden(io: Io, question: string, isNew: boolean): Promise<string> {
  const { stdin, stderr } = io
  stderr.write(question)
  stdin.setRawMode?.(true)
  try {
    return await readLine(stdin, isNew)
  } finally {
    stdin.setRawMode?.(false)
    stderr.write('\n')
  }
}

function readLine(stdin: TextInput, isNew: boolean): Promise<string> {
  return new Promise<string>((resolve, reject) => {
    let typed: readonly string[] = []
    const onData = (chunk: Buffer | string): void => {
      const characters = Array.from(chunk.toString())
      for (const [i, character] of characters.entries()) {
        const rest = characters.slice(i + 1).join('')
        if (character === CTRL_C) return settle(rest, () => reject(new Interrupted('SIGINT')))
        if (ENTER.has(character)) return settle(rest, () => resolve(typed.join('')))
        if (character === CTRL_U) typed = []
        else typed = ERASE.has(character) ? typed.slice(0, -1) : [...typed, character]
      }
    }
    const onEnd = (): void => settle('', () => reject(new PassphraseNeededError(isNew)))
    const settle = (rest: string, outcome: () => void): void => {
      stdin.off('data', onData).off('end', onEnd).pause()
      // A paste may hold the answer to the next question.
      if (rest !== '') stdin.unshift(Buffer.from(rest))
      outcome()
    }
    if (stdin.readableEnded) return onEnd()
    stdin.on('data', onData).on('end', onEnd).resume()
  })
}
