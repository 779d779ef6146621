/** A genesis whose config rule is missing or broken by its own config never starts a node. */
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/core/hash.ts'
import { utf8 } from '../../src/core/bytes.ts'
import type { Genesis } from '../../src/identity/genesis.ts'
import { configJudge } from '../../src/node/config-judge.ts'

const genesis = (config: string, schema: string | undefined, schemaDigest?: Uint8Array): Genesis =>
  ({ name: 'test', config, schema, schemaDigest }) as Genesis

describe('the judge of a genesis', () => {
  it('takes everything where no schema is named', () => {
    expect(configJudge(genesis('{}', undefined))({ any: 1 })).toEqual([])
  })

  it('judges by the schema that the genesis carries', () => {
    const judge = configJudge(genesis('{"limit":1}', '{"required":["limit"]}'))
    expect(judge({ limit: 2 })).toEqual([])
    expect(judge({})).toHaveLength(1)
  })

  it('refuses a genesis whose config breaks its schema, and names the place', () => {
    expect(() => configJudge(genesis('{"limit":"high"}', '{"properties":{"limit":{"type":"integer"}}}'))).toThrow(
      /\/limit/
    )
  })

  it('refuses a digest without the schema that it stands for', () => {
    expect(() => configJudge(genesis('{}', undefined, sha256(utf8('{}'))))).toThrow(/digest/)
  })
})
