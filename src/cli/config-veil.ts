/**
 * What a config shows: whatever the schema marks as secret (`x-secret`) is hidden in every answer, for people and programs alike,
 * until somebody asks for it in so many words. A screen is shared and a pipe ends in a log.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JsonValue } from '../core/json.ts'
import { UnreadableFileError, UsageError } from './cli-errors.ts'

export interface Veil {
  hide(value: JsonValue): JsonValue
  /** Throws UsageError for a value in which a secret is what `hide` puts in its place: it was read, changed and sent back. */
  requireOpen(value: JsonValue): void
}

/** The schema is in the genesis, which the node keeps beside its socket. */
export async function configVeil(dataDir: string): Promise<Veil> {
  const { decodeGenesis } = await import('../identity/genesis.ts')
  const { hiddenSecrets, REDACTED, redactSecrets } = await import('../replicated-config/secrets.ts')
  const text = decodeGenesis(await readGenesisOf(dataDir)).genesis.schema
  if (text === undefined) return { hide: (value) => value, requireOpen() {} }
  const schema = JSON.parse(text) as JsonValue
  return {
    hide: (value) => redactSecrets(schema, value),
    requireOpen(value) {
      const [hidden] = hiddenSecrets(schema, value)
      if (hidden === undefined) return
      throw new UsageError(
        `${hidden} is ${REDACTED}, which only stands for a secret that was not shown`,
        'Put the secret there, or begin with what `quorate config get --secrets` prints.'
      )
    }
  }
}

async function readGenesisOf(dataDir: string): Promise<Uint8Array> {
  const path = join(dataDir, 'genesis.cose')
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    throw new UnreadableFileError(path, 'which values are secret from', error as NodeJS.ErrnoException)
  }
}
