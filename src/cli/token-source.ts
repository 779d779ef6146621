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
  return (await readSource(io, argument, 'the token file')).toString().trim()
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
