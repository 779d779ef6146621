/** `--token`: the line itself, a file that holds it, or `-` for standard input. */
import { looksLikeToken } from '../identity/token.ts'
import type { Io } from './io.ts'
import { readSource } from './sources.ts'

export async function readToken(io: Io, argument: string): Promise<string> {
  const text = looksLikeToken(argument) ? argument : (await readSource(io, argument, 'the token file')).toString()
  return text.trim()
}
