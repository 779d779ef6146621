/**
 * The judge of config values that a genesis names. It must be the same on every member, so a genesis whose judge is not at
 * hand, or that breaks its own rule, is refused before anything starts (R-QUO-4).
 */
import type { JsonValue } from '../core/json.ts'
import { InvalidDocumentError } from '../identity/document.ts'
import type { Genesis } from '../identity/genesis.ts'
import { anyConfig, compileSchema, InvalidConfigError, type ValidateConfig } from '../replicated-config/index.ts'

/** Throws InvalidSchemaError, InvalidConfigError, InvalidDocumentError. */
export function configJudge({ name, config, schema, schemaDigest }: Genesis): ValidateConfig {
  if (schema === undefined && schemaDigest !== undefined) {
    const reason = `${name} pins a schema by its digest and does not carry it; members without it would judge differently`
    throw new InvalidDocumentError('quorate/genesis/v1', 'rule', reason)
  }
  if (schema === undefined) return anyConfig
  const validate = compileSchema(JSON.parse(schema) as JsonValue)
  const problems = validate(JSON.parse(config) as JsonValue)
  if (problems.length > 0) throw new InvalidConfigError(problems)
  return validate
}
