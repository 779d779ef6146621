/** Documents that are the same in every run: keys, ids and nonces are hashes of names. */
import { utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/hash.ts'
import { formationCrypto, encodeCertificate } from '../../src/identity/certificate.ts'
import { makeClaim, readClaim } from '../../src/identity/claim.ts'
import { createGenesis, type GenesisInit, type VerifiedGenesis } from '../../src/identity/genesis.ts'
import { localKeyFromSeed, type LocalKey } from '../../src/identity/signer.ts'
import { createToken, parseToken, type ParsedToken, type TokenInit } from '../../src/identity/token.ts'
import type { Claim, FoundingCertificate } from '../../src/formation/types.ts'

export const CREATED_MS = Date.UTC(2026, 0, 2, 3, 4, 5)

export const bytes32 = (name: string): Uint8Array => sha256(utf8(name))
export const bytes16 = (name: string): Uint8Array => bytes32(name).slice(0, 16)
export const keyOf = (name: string): LocalKey => localKeyFromSeed(bytes32(`seed of ${name}`))

export const issuer = keyOf('issuer')
export const nodes = ['alpha', 'bravo', 'charlie', 'delta'].map(keyOf) as [LocalKey, LocalKey, LocalKey, LocalKey]

export const genesisInit: GenesisInit = {
  name: 'plant-7',
  foundingSize: 3,
  config: { interval: 5, limits: { cpu: 2 } },
  schema: { type: 'object' },
  createdAtMs: CREATED_MS,
  nonce: bytes16('genesis')
}

export const seatsGenesis = (init: Partial<GenesisInit> = {}): Promise<VerifiedGenesis> =>
  createGenesis({ ...genesisInit, ...init }, [issuer.signer])

export const rosterGenesis = (init: Partial<GenesisInit> = {}): Promise<VerifiedGenesis> =>
  createGenesis(
    {
      ...genesisInit,
      name: 'roster-9',
      roster: nodes.slice(0, 3).map(({ signer }, i) => ({ seat: i + 1, peerId: signer.peerId })),
      ...init
    },
    [issuer.signer]
  )

export async function tokenFor(
  genesis: VerifiedGenesis,
  name: string,
  grant: TokenInit['grant'],
  init: Partial<TokenInit> = {}
): Promise<ParsedToken> {
  const minted = await createToken(genesis, [issuer.signer], {
    grant,
    tokenId: bytes16(`token ${name}`),
    seed: bytes32(`token seed ${name}`),
    ...init
  })
  return parseToken(minted.text.revealText())
}

export const seatToken = (
  genesis: VerifiedGenesis,
  seat: number,
  init: Partial<TokenInit> = {}
): Promise<ParsedToken> => tokenFor(genesis, `seat ${seat}`, { kind: 'founding', seat }, init)

export const claimBy = (node: LocalKey, token: ParsedToken, store = 'store'): Promise<Uint8Array> =>
  makeClaim({
    node: node.signer,
    storeId: bytes16(`${store} of ${node.signer.peerId}`),
    nonce: bytes16(`nonce of ${node.signer.peerId}`),
    by: { type: 'token', token }
  })

export const rosterClaim = (node: LocalKey, genesis: VerifiedGenesis): Promise<Uint8Array> =>
  makeClaim({
    node: node.signer,
    storeId: bytes16(`store of ${node.signer.peerId}`),
    nonce: bytes16(`nonce of ${node.signer.peerId}`),
    by: { type: 'roster', genesis }
  })

/** A founding by the first three nodes, all of whom sign. */
export async function found(genesis: VerifiedGenesis, term = 2): Promise<FoundingCertificate> {
  const founders = nodes.slice(0, 3)
  const claims: Claim[] = []
  for (const [i, node] of founders.entries()) {
    const bundle =
      genesis.genesis.mode === 'roster'
        ? await rosterClaim(node, genesis)
        : await claimBy(node, await seatToken(genesis, i + 1))
    claims.push(readClaim(bundle, genesis).founding!)
  }
  return certify(
    genesis,
    term,
    claims,
    founders.map((node, i) => [node, claims[i]!] as const)
  )
}

export async function certify(
  genesis: VerifiedGenesis,
  term: number,
  claims: readonly Claim[],
  acceptors: readonly (readonly [LocalKey, Claim])[]
): Promise<FoundingCertificate> {
  const payload = formationCrypto(genesis).acceptancePayload(term, { claims })
  const acceptances = await Promise.all(
    acceptors.map(async ([node, claim]) => ({
      incarnation: claim.incarnation,
      claim,
      signature: await node.signer.sign(payload)
    }))
  )
  return {
    term,
    set: { claims },
    acceptances: acceptances.toSorted((a, b) => (a.incarnation < b.incarnation ? -1 : 1))
  }
}

export const certificateBytes = async (genesis: VerifiedGenesis): Promise<Uint8Array> =>
  encodeCertificate(await found(genesis))
