/**
 * Makes a genesis that every member can go by. The document alone would hold with any schema and any config; here it is also held
 * against the judge that members make of it, so that what no node would start with is refused before anybody has a token for it.
 */
import { createGenesis as signGenesis, type GenesisInit, type VerifiedGenesis } from '../identity/genesis.ts'
import type { Signer } from '../identity/signer.ts'
import { configJudge } from './config-judge.ts'

/**
 * Makes and signs a genesis. Errors: InvalidOptionError for the first rule that is broken, NotJsonError, InvalidSchemaError for a
 * schema that cannot be used, InvalidConfigError when the first config breaks it.
 */
export async function createGenesis(init: GenesisInit, signers: readonly Signer[]): Promise<VerifiedGenesis> {
  const made = await signGenesis(init, signers)
  configJudge(made.genesis)
  return made
}
