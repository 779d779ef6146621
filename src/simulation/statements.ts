/**
 * Boot statements inside a run: real documents with real signatures, made and read without a promise. A signature that one
 * process has made or proved is not proved again by the others: a verdict on the same bytes is the same verdict.
 */
import { equalBytes } from '../core/bytes.ts'
import { RecentMap } from '../core/recent-map.ts'
import {
  bootStatementToSign,
  decodeBootStatement,
  readBootStatement,
  sealBootStatement
} from '../identity/boot-statement.ts'
import type { OwnStatement, StatementCodec } from '../replica/boot-watch.ts'
import { type Actor, type Cast, remember, type Store } from './cast.ts'

export interface StatementMaker extends StatementCodec {
  make(content: OwnStatement): Uint8Array
}

const decoded = remember(decodeBootStatement)
const proved = remember(readBootStatement)

/** What actors have signed in this process, byte for byte: it holds, and everybody who is shown it need not find that out anew. */
const made = new RecentMap<true>(4_096)

export function statementMaker(
  { genesis }: Cast,
  { publicKey, sign }: Actor,
  { storeId }: Store,
  life: { readonly boot: number; readonly bootNonce: Uint8Array }
): StatementMaker {
  const { domainId } = genesis
  const { generation } = genesis.genesis
  const content = (own: OwnStatement) => ({ domainId, generation, storeId, ...life, ...own })
  const toSign = (own: OwnStatement): Uint8Array => bootStatementToSign(publicKey, content(own))
  const seal = (own: OwnStatement, signature: Uint8Array): Uint8Array => {
    const bytes = sealBootStatement(publicKey, content(own), signature)
    made.set(bytes, true)
    return bytes
  }
  return {
    toSign,
    seal,
    make: (own) => seal(own, sign(toSign(own))),
    decode(bytes) {
      const statement = decoded(bytes)
      const isOurs = statement !== undefined && equalBytes(statement.domainId, domainId)
      return isOurs && statement.generation === generation ? statement : undefined
    },
    isGenuine: ({ bytes }) => made.get(bytes) === true || proved(bytes) !== undefined
  }
}
