/** `--token`: a file, `-` for standard input, or the line itself, which other users of the machine can see. */
import { createInterface } from 'node:readline'
import { looksLikeToken } from '../identity/token.ts'
import { UsageError } from './cli-errors.ts'
import type { Io } from './io.ts'
import { holdsToken } from './secret-text.ts'
import { readSource, STDIN } from './sources.ts'

export async function readToken(io: Io, argument: string): Promise<string> {
  if (looksLikeToken(argument)) return argument.trim()
  if (holdsToken(argument)) {
    throw new UsageError(
      '--token got something that looks like a token and does not begin as one',
      'Capitals matter, and nothing stands before it: copy the line once more, or pass the file that it came in.'
    )
  }
  if (argument === STDIN && io.stdin.isTTY === true) return pastedLine(io)
  const bytes = await readSource(io, argument, 'the token file')
  const text = bytes.toString().trim()
  if (!looksLikeToken(text)) throw await noToken(argument, bytes)
  return text
}

/** What the file is instead, as far as that can be told. */
async function noToken(path: string, bytes: Uint8Array): Promise<UsageError> {
  const name = path === STDIN ? 'standard input' : path
  if (bytes.toString().trim() === '') {
    return new UsageError(`${name} is empty, and should hold a token`, 'A token is one line that begins with qtk1.')
  }
  const { inspectDocument } = await import('../identity/inspect.ts')
  const { type } = inspectDocument(new Uint8Array(bytes))
  if (type === 'unknown') {
    return new UsageError(
      `${name} holds no token: that is one line that begins with qtk1.`,
      'Copy the whole line again, or name the file that it came in.'
    )
  }
  const what =
    type === 'genesis' ? 'the genesis; pass it as --genesis, where one is needed' : `a document of type ${type}`
  return new UsageError(
    `${name} holds no token: it is ${what}`,
    'The tokens are in files of their own, such as seat-1.token.'
  )
}

/** At a terminal one line is all: nobody should have to know how to end a file there. */
async function pastedLine(io: Io): Promise<string> {
  io.stderr.write('paste the token: ')
  const lines = createInterface({ input: io.stdin })
  try {
    for await (const line of lines) return line.trim()
    return ''
  } finally {
    lines.close()
  }
}
