/**
 * The holes that other Raft implementations were bitten by, one test for each row of the list, named after its number.
 *
 * Most are played as a transcript of `test/scenarios/raft`. The decisive lines are repeated here, so that recording a
 * transcript anew cannot make a hole look closed. Rows about formation, storage and membership are in holes-around.test.ts;
 * rows that cannot occur here are explained in docs/GUARANTEES.md. The last test counts them all.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { Progress } from '../../src/raft/progress.ts'
import { createRaft, DEFAULT_LIMITS } from '../../src/raft/index.ts'
import type { Raft, RaftInit } from '../../src/raft/index.ts'
import { hole, HOLES } from './hole.ts'
import { runScenario } from './scenario.ts'
import { Simulation } from './simulation.ts'

/** Plays the transcript and finds these lines in it, each group without a gap and all groups in this order. */
const plays =
  (name: string, ...groups: readonly string[]) =>
  (): void => {
    const played = runScenario(readFileSync(new URL(`../scenarios/raft/${name}.txt`, import.meta.url), 'utf8'))
    let from = 0
    for (const group of groups) {
      const lines = group.split('\n').map((line) => line.trim())
      const text = lines.map((line) => (line.startsWith('>') ? line : `  ${line}`)).join('\n')
      const at = `${played}\n`.indexOf(`${text}\n`, from)
      expect(at, `${name}.txt does not go on with:\n${text}`).toBeGreaterThanOrEqual(0)
      from = at + 1
    }
  }

const NOBODY = { outgoing: [], learners: [], learnersNext: [], autoLeave: false }
const INIT: RaftInit = {
  self: 'n1',
  membership: { ...NOBODY, voters: ['n1', 'n2', 'n3'] },
  hardState: { term: 0, votedFor: undefined },
  entries: [],
  timing: { heartbeatMs: 10, electionTimeoutMs: 100, rankStepMs: 10, jitterMs: 0 },
  random: seededRandom('holes')
}

function started(init: Partial<RaftInit> = {}): Raft {
  const raft = createRaft({ ...INIT, ...init })
  raft.start(0)
  return raft
}

describe('elections and votes', () => {
  hole(1, 'term and vote are one record, and a restart finds both', () => {
    const raft = started({ preVote: false })
    const request = { type: 'vote', lastIndex: 0, lastTerm: 0, transfer: false } as const
    const first = raft.step({ type: 'message', from: 'n2', message: { ...request, term: 4 } }, 1)
    expect(first.write).toEqual({ id: 1, hardState: { term: 4, votedFor: 'n2' } })
    const second = raft.step({ type: 'message', from: 'n3', message: { ...request, term: 5 } }, 1)
    expect(second.write).toEqual({ id: 2, hardState: { term: 5, votedFor: 'n3' } })
    const reborn = started({ hardState: second.write!.hardState! })
    const late = reborn.step({ type: 'message', from: 'n2', message: { ...request, term: 5 } }, 1)
    expect(late.send).toEqual([{ to: 'n2', message: { type: 'vote-reply', term: 5, granted: false } }])
  })

  hole(
    2,
    'a vote leaves after its record is durable; one that the crash took had not been sent',
    plays(
      'vote_lost_with_crash_was_never_sent',
      'n3 -> n1 after write 1: vote-reply granted term 1\n> deliver n3>n1\nnothing is on the way\n> crash n3\nn3 loses 1 write'
    )
  )

  hole(
    3,
    'stepping down within a term keeps the vote of that term',
    plays(
      'step_down_keeps_vote',
      'n1 becomes follower of term 1: no quorum answers',
      '> send n2>n1 vote term=1 last=9@1 transfer=no\nn1 -> n2 vote-reply refused term 1'
    )
  )

  hole(
    4,
    'an answer to another round of pre-votes does not count, and no pre-vote counts as a vote',
    plays(
      'prevote_stale_answers',
      '> send n2>n1 pre-vote-reply term=0 round=1 granted=yes\n> status\nn1 pre-candidate term 0 leader - last 0 commit 0',
      '> send n3>n1 pre-vote-reply term=1 round=2 granted=yes\n> status\nn1 candidate term 1 leader - last 0 commit 0'
    )
  )

  hole(
    5,
    'a pre-vote changes nothing at who is asked',
    plays(
      'prevote_has_no_side_effects',
      'n1 -> n2 pre-vote-reply granted round 1 term 0',
      'n1 -> n3 pre-vote-reply granted round 1 term 0\n> status\nn1 follower term 0 leader - last 0 commit 0'
    )
  )

  hole(
    6,
    'who is behind in term is not stuck under pre-vote: a refusal tells it the term',
    plays(
      'prevote_behind_in_term',
      'n2 -> n1 pre-vote-reply refused round 1 term 5',
      'n1 becomes follower of term 5: n2 is in term 5',
      'n1 becomes leader of term 6: elected by 2'
    )
  )

  hole(
    7,
    'a later term with a shorter log against an earlier term with a longer log, with mixed settings',
    plays(
      'mixed_settings',
      'n1 becomes leader of term 7: elected by 2\nn1 follows n1 in term 7\nn2 follows n1 in term 7'
    )
  )

  hole(7, 'members that do not agree about mode, pre-vote and CheckQuorum elect a leader once they are healed', () => {
    let elections = 0
    for (let seed = 7000; seed < 7020; seed++)
      elections += new Simulation({ seed, size: 3, mixed: true }).run().elections
    expect(elections).toBeGreaterThan(20)
  })

  hole(
    8,
    'a pre-candidate has dropped its leader, and refuses nobody in its name',
    plays(
      'prevote_forgets_its_leader',
      'n2 pre-candidate term 1 leader - last 1 commit 1\nn3 pre-candidate term 1 leader - last 1 commit 1',
      '> deliver n3>n2\nn2 -> n3 pre-vote-reply granted round 1 term 1\nn2 becomes candidate of term 2: a quorum would vote for it'
    )
  )

  hole(
    9,
    'a pre-candidate with the longer log and the earlier term wins in the end, and is not blocked for ever',
    plays(
      'prevote_behind_in_term',
      'n1 -> n2 after write 1: pre-vote-reply refused round 1 term 5',
      'n2 -> n1 pre-vote-reply granted round 2 term 5\nn1 becomes candidate of term 6: a quorum would vote for it'
    )
  )

  hole(
    10,
    'the pre-vote of a leader that was restarted is granted by followers that still name it',
    plays(
      'prevote_of_the_old_leader',
      'n2 -> n1 pre-vote-reply granted round 1 term 1\nn3 -> n1 pre-vote-reply granted round 1 term 1'
    )
  )

  hole(
    11,
    'a restarted follower gets no vote of a leader that leads, nor of who hears it',
    plays(
      'restarted_follower_deposes_nobody',
      'n1 -> n3 pre-vote-reply refused round 1 term 1\nn2 -> n3 pre-vote-reply refused round 1 term 1'
    )
  )

  hole(
    12,
    'a vote that arrives three times counts once',
    plays(
      'votes_are_counted_by_voter',
      `> send n2>n1 vote-reply term=1 granted=yes
       > send n2>n1 vote-reply term=1 granted=yes
       > send n2>n1 vote-reply term=1 granted=yes
       > status
       n1 candidate term 1 leader - last 0 commit 0`
    )
  )

  hole(
    13,
    'a vote of an earlier term is not counted',
    plays(
      'votes_of_another_term',
      '> send n2>n1 vote-reply term=1 granted=yes\n> status\nn1 candidate term 2 leader - last 0 commit 0'
    )
  )

  hole(14, 'a leader votes for nobody in its own term', () => {
    const raft = started({ preVote: false, checkQuorum: false })
    raft.step({ type: 'tick' }, 0)
    raft.step({ type: 'message', from: 'n2', message: { type: 'vote-reply', term: 1, granted: true } }, 1)
    raft.step({ type: 'persisted', write: 1 }, 1)
    expect(raft.status()).toMatchObject({ role: 'leader', term: 1 })
    const request = { type: 'vote', term: 1, lastIndex: 9, lastTerm: 1, transfer: false } as const
    const { send, sendAfter, write } = raft.step({ type: 'message', from: 'n3', message: request }, 2)
    expect(write).toBeUndefined()
    expect([...send, ...sendAfter]).toEqual([{ to: 'n3', message: { type: 'vote-reply', term: 1, granted: false } }])
  })

  hole(
    15,
    'the same candidate is granted again in the same term, over a restart as well',
    plays(
      'vote_survives_restart',
      '> send n2>n3 vote term=1 last=0@0 transfer=no\nn3 -> n2 vote-reply refused term 1',
      '> send n1>n3 vote term=1 last=0@0 transfer=no\nn3 -> n1 vote-reply granted term 1'
    )
  )

  hole(
    16,
    'a vote is judged by the log of that moment, what the disk is still writing included',
    plays(
      'vote_looks_at_the_newest_log',
      'n2 -> n3 after write 2: vote-reply refused term 2',
      'n2 writes 3: term 3 vote n3\nn2 -> n3 after write 3: vote-reply granted term 3'
    )
  )

  hole(
    17,
    'a refusal of a later term moves the term and is no vote',
    plays('votes_of_another_term', 'n1 becomes follower of term 6: n3 is in term 6\nn1 writes 3: term 6 vote -')
  )

  hole(
    18,
    'logs are compared by the last term, then by the length; who leads decides nothing',
    plays(
      'log_comparison',
      '> send n2>n1 pre-vote nextTerm=4 round=3 last=3@3\nn1 -> n2 pre-vote-reply granted round 3 term 3',
      '> send n2>n1 pre-vote nextTerm=4 round=4 last=1@4\nn1 -> n2 pre-vote-reply granted round 4 term 3'
    )
  )

  hole(
    19,
    'neither a longer log of an earlier term nor a shorter one of the same term wins',
    plays(
      'log_comparison',
      '> send n2>n1 pre-vote nextTerm=4 round=1 last=9@2\nn1 -> n2 pre-vote-reply refused round 1 term 3',
      '> send n2>n1 pre-vote nextTerm=4 round=2 last=2@3\nn1 -> n2 pre-vote-reply refused round 2 term 3'
    )
  )

  hole(20, 'a refused vote request moves no timer', () => {
    const raft = started({ preVote: false, hardState: { term: 2, votedFor: undefined }, entries: [entry(1, 2)] })
    const before = raft.step({ type: 'connected', peer: 'n9' }, 1).deadline
    const request = { type: 'vote', term: 3, lastIndex: 0, lastTerm: 0, transfer: false } as const
    const after = raft.step({ type: 'message', from: 'n3', message: request }, 1).deadline
    expect(after).toBe(before)
    expect(raft.status()).toMatchObject({ role: 'follower', term: 3 })
  })

  hole(
    21,
    'a heartbeat of an old term quiets nobody, and its sender is told',
    plays(
      'stale_leader_is_told',
      '> send n1>n2 heartbeat term=2 commit=0 seq=1 waitMs=0 heir=0\nn2 -> n1 heartbeat-reply term 3 seq 0 match 0'
    )
  )

  hole(
    22,
    'a group of one enters a new term each time it elects itself',
    plays(
      'single_voter',
      'n1 becomes leader of term 1: elected by 1',
      'n1 becomes candidate of term 2: a quorum would vote for it\nn1 writes 1: term 2 vote n1'
    )
  )

  hole(
    23,
    'who campaigns while its disk writes claims no more than the disk will hold',
    plays(
      'election_waits_for_its_log',
      'n1 -> n2 after write 2: vote term 2 last 1@1\nn1 -> n3 after write 2: vote term 2 last 1@1'
    )
  )
})

describe('partitions', () => {
  hole(
    24,
    'partial partition: pre-vote ends the endless elections, CheckQuorum replaces a leader without a quorum',
    plays(
      'partial_partition',
      'n1 leader term 1 leader n1 last 1 commit 1 writable n2:replicate@1 n3:replicate@1 n4:replicate@1 n5:replicate@1',
      'n1 becomes follower of term 1: no quorum answers',
      'n3 leader term 2 leader n3 last 2 commit 2 writable n1:probe@0 n2:replicate@2 n4:replicate@2 n5:replicate@2'
    )
  )

  hole(
    25,
    'a chain keeps its leader',
    plays(
      'chain_keeps_its_leader',
      'n1 leader term 1 leader n1 last 2 commit 2 writable n2:probe@1 n3:replicate@2\nn2 pre-candidate term 1 leader - last 1 commit 1'
    )
  )

  hole(
    25,
    'a hub with an old log does not lead, and loses nothing; who reaches a quorum leads',
    plays(
      'hub_with_an_old_log',
      'n2 pre-candidate term 2 leader - last 1 commit 0',
      'n5 becomes leader of term 3: elected by 3'
    )
  )

  hole(
    26,
    'a leader that can speak but not hear resigns, and is replaced',
    plays(
      'one_way_partition',
      'n1 becomes follower of term 1: no quorum answers',
      'n2 leader term 2 leader n2 last 2 commit 2 writable n1:probe@0 n3:replicate@2'
    )
  )

  hole(
    27,
    'the loss of a minority costs nobody the office; the leader counts itself',
    plays(
      'check_quorum_minority_loss',
      '> crash n5\n> pass 500\n> status\nn1 leader term 1 leader n1 last 1 commit 1 writable n2:replicate@1 n3:replicate@1 n4:replicate@1 n5:replicate@1',
      '> crash n3\n> pass 500\nn1 has no quorum in term 1, heard from (n2)'
    )
  )

  hole(
    28,
    'a leader whose disk does not answer leaves its office',
    plays(
      'stalled_disk',
      'n1 becomes follower of term 2: its disk does not answer',
      'n2 becomes leader of term 2: elected by 2'
    )
  )
})

describe('membership', () => {
  hole(
    29,
    'no change before an entry of the own term has committed',
    plays(
      'change_needs_own_term_commit',
      'n1 answers request 1: refused no-own-term-commit, no entry of this term has committed yet'
    )
  )

  hole(
    30,
    'a configuration that is in the log is what a campaign goes by, applied or not',
    plays(
      'campaign_under_uncommitted_configuration',
      '> deliver n3>n2\n> status\nn1 down\nn2 pre-candidate term 1 leader - last 2 commit 0',
      '> deliver n5>n2\nn2 becomes candidate of term 2: a quorum would vote for it'
    )
  )

  hole(
    31,
    'the joint configuration of a leader that is gone is committed and left by the next one',
    plays(
      'change_survives_leader',
      'n2 has committed voters (n1 n2 n3 n4)&&(n1 n2 n3) of entry 2',
      'n2 acts on voters (n1 n2 n3 n4) of entry 4',
      'n2 has committed voters (n1 n2 n3 n4) of entry 4'
    )
  )

  hole(
    32,
    'a learner that was promoted and does not know it votes',
    plays(
      'learner_that_does_not_know_votes',
      'n3 -> n2 after write 2: vote-reply granted term 2\nn2 becomes leader of term 2: elected by 2',
      'n3 acts on voters (n1 n2 n3) of entry 3'
    )
  )

  hole(
    33,
    'targets that are behind, or do not answer, are refused before anything is written',
    plays(
      'change_refused',
      'n1 answers request 2: refused not-caught-up, add as learners first, and wait for: n4',
      'n1 answers request 7: refused would-lose-quorum, only 1 of the 2 voters answer'
    )
  )

  hole(
    34,
    'a configuration goes with its entry',
    plays('change_rolled_back', 'n1 has committed voters (n1 n2 n3) learners (n4) of entry 0\nn1 commits 2@2 noop ""')
  )

  hole(
    35,
    'a snapshot ends a configuration that never committed, however late its index',
    plays(
      'snapshot_ends_a_dead_configuration',
      'n1 acts on voters (n1)&&(n1 n2 n3) learners (n4) next learners (n2 n3) of entry 5',
      `> hand n2>n1
       n1 follows n2 in term 2
       n1 has committed voters (n1 n2 n3) learners (n4) of entry 0
       n1 writes 1: term 2 vote - snapshot 3@2`,
      'n1 becomes pre-candidate of term 2: n2 fell silent\nn1 -> n2 pre-vote for term 3 round 1 last 3@2\nn1 -> n3 pre-vote for term 3 round 1 last 3@2'
    )
  )

  hole(
    36,
    'who is demoted by a snapshot does not campaign, and who is promoted by one does',
    plays(
      'snapshot_demotes_and_promotes',
      '> tick n3\nn3 knows no leader\n> tick n4\nn4 -> n2 pre-vote-offer for term 2 last 4@1 seq 3\n> tick n4\nn4 knows no leader\nn4 becomes pre-candidate of term 1: n1 fell silent'
    )
  )

  hole(
    37,
    'who was removed raises no term, and a member that is not known yet can be elected',
    plays(
      'removed_member_is_not_heard',
      `> send n9>n2 vote term=8 last=3@3 transfer=no
       > send n9>n2 pre-vote nextTerm=8 round=1 last=3@3
       > status
       n1 follower term 0 leader - last 0 commit 0
       n2 follower term 3 leader - last 3 commit 0`,
      'n2 -> n9 after write 1: vote-reply granted term 8'
    )
  )

  hole(
    38,
    'a leader removes itself, and hands over when that has committed',
    plays(
      'change_removes_leader',
      'n1 has committed voters (n2 n3) of entry 3\nn1 becomes follower of term 1: the configuration does not name it',
      'n2 becomes leader of term 2: elected by 2'
    )
  )

  hole(
    38,
    'one of two removes the other',
    plays('change_two_to_one', '> settle\nn1 commits 4@1 command "alone"\nn1 answers request 2: committed as 4@1')
  )

  hole(
    39,
    'leadership goes to voters only, whoever asks for it',
    plays(
      'transfer_only_to_voters',
      'n1 answers request 1: refused transfer-failed, n4 is not a voter',
      '> send n1>n4 transfer term=1 last=1@1\n> send n1>n3 transfer term=1 last=2@1\n> status'
    )
  )
})

describe('disk, log and reads', () => {
  hole(
    43,
    'an entry that the leader lost with its own write is never followed by another one at that place in that term',
    plays(
      'lost_write_reuses_no_index',
      'n1 loses 1 write\n> restart n1\n> propose n1 y\nn1 answers request 2: dropped, leader -',
      'n1 commits 2@1 command "x"\nn1 commits 3@2 noop ""'
    )
  )

  hole(
    44,
    'nothing commits before the disk of a group of one has it',
    plays(
      'single_voter',
      'n1 writes 3: entries 2@1 command "x"\n> persist n1\nn1 is writable in term 1\nn1 commits 1@1 noop "config"\nn1 commits 2@1 command "x"'
    )
  )

  hole(
    44,
    'all other votes elect nobody before the own one is durable',
    plays(
      'election_needs_own_durable_vote',
      'n1 candidate term 1 leader - last 0 commit 0',
      '> persist n1\nn1 becomes leader of term 1: elected by 3'
    )
  )

  hole(
    45,
    'the commit index is not stored; a log that is ahead of its term is refused; the vote never follows its entries',
    () => {
      expect(() => createRaft({ ...INIT, entries: [entry(1, 1)] })).toThrow(/not behind the recovered log/)
      const raft = started()
      const append = { type: 'append', term: 3, prevIndex: 0, prevTerm: 0, commit: 9, entries: [entry(1, 3)] } as const
      const { write, committed } = raft.step({ type: 'message', from: 'n2', message: append }, 1)
      expect(write).toEqual({ id: 1, hardState: { term: 3, votedFor: undefined }, entries: append.entries })
      expect(committed).toEqual([])
    }
  )

  hole(
    47,
    'a commit index beyond the own log is not believed, and the loss is reported',
    plays(
      'commit_beyond_the_log',
      'n1 raises an alarm: n3 has lost entries that it acknowledged: it ends before 2',
      'n3 follower term 1 leader n1 last 0 commit 0'
    )
  )

  hole(
    48,
    'an entry of an earlier term does not commit by counting',
    plays(
      'figure_8',
      '> send n3>n1 append-accepted term=4 match=2\nn1 -> n3 append term 4 prev 2@2 commit 0 [3@4]\n> status\nn1 leader term 4 leader n1 last 3 commit 0 n2:replicate@2 n3:replicate@2 n4:probe@0 n5:probe@0',
      '> send n3>n1 append-accepted term=4 match=3\nn1 is writable in term 4'
    )
  )

  hole(49, 'next stays above match, and match never goes back, whatever order the answers come in', () => {
    const random = seededRandom('hole 49')
    const peer = new Progress('n2', 5, 0, DEFAULT_LIMITS)
    let match = 0
    for (let i = 0; i < 5000; i++) {
      const index = random.int(0, 40)
      const act = random.int(0, 6)
      if (act === 0) peer.accepted(index, 10)
      else if (act === 1) peer.rejected(index, random.int(0, 40))
      else if (act === 2) peer.probe()
      else if (act === 3) peer.needsSnapshot(i)
      else if (act === 4) peer.snapshotSent(random.int(0, 40))
      else if (act === 5) peer.snapshotFailed()
      else if (!peer.paused) peer.sent(peer.next + random.int(0, 3), 10)
      expect(peer.next).toBeGreaterThan(peer.match)
      expect(peer.match).toBeGreaterThanOrEqual(match)
      match = peer.match
    }
    expect(match).toBe(40)
  })

  hole(
    50,
    'an append that covers less than the log cuts nothing, and acknowledges what it covers',
    plays(
      'stale_append_truncates_nothing',
      '> send n1>n2 append term=1 prev=0@0 commit=0 entries=1\nn2 -> n1 append-accepted term 1 match 1',
      'n2 follower term 1 leader n1 last 3 commit 0'
    )
  )

  hole(
    51,
    'a snapshot whose last entry conflicts takes the place of the log, and is not asked for again',
    plays(
      'snapshot_replaces_a_diverged_log',
      'n3 follower term 4 leader n1 last 6 commit 0\n> hand n1>n3',
      'n3 writes 2: snapshot 5@4\nn3 -> n1 after write 2: append-accepted term 4 match 5',
      '> pass 20\n> status\nn1 leader term 4 leader n1 first 5 last 5 commit 5 writable n2:replicate@5 n3:replicate@5'
    )
  )

  hole(
    51,
    'a snapshot older than the log cuts nothing off it',
    plays(
      'snapshot_that_is_old',
      '> hand n1>n3\nn3 -> n1 append-accepted term 1 match 3\n> status',
      'n3 follower term 1 leader n1 last 4 commit 3'
    )
  )

  hole(
    52,
    'nothing that has committed is rolled back, whoever asks for it',
    plays(
      'committed_entries_stay',
      'n2 raises an alarm: n3 would replace the committed entry 1',
      'n2 follower term 2 leader n3 last 1 commit 1'
    )
  )

  hole(
    53,
    'a new leader answers no read before an entry of its own term has committed',
    plays(
      'reads_wait_for_own_term',
      '> read n1\nn1 -> n2 heartbeat term 2 commit 0 seq 1 wait 0 heir 2',
      'n3 -> n1 after write 2: heartbeat-reply term 2 seq 1 match 2\nn1 is writable in term 2',
      'n1 answers request 1: readable at 2'
    )
  )

  hole(
    56,
    'a leader that was suspended resigns before it hears anything',
    plays(
      'leader_that_slept_resigns_first',
      '> tick n1 late=5000\nn1 has no quorum in term 1, heard from ()\nn1 becomes follower of term 1: no quorum answers'
    )
  )

  hole(
    56,
    'a timer that fires late lets the sockets speak first',
    plays('late_timer', '> tick n2 late=500\n> deliver n1>n2\nn2 -> n1 heartbeat-reply term 1 seq 4 match 1')
  )
})

test(`every row from 1 to ${HOLES} has a test of its number, or a line on why it cannot occur`, () => {
  const folder = new URL('./', import.meta.url)
  const sources = readdirSync(folder).filter((name) => name.endsWith('.test.ts'))
  const numbersIn = (text: string, pattern: RegExp): number[] =>
    [...text.matchAll(pattern)].map((found) => Number(found[1]))
  const tested = sources.flatMap((name) => numbersIn(readFileSync(new URL(name, folder), 'utf8'), /\bhole\(\s*(\d+),/g))
  const guarantees = readFileSync(new URL('../../docs/GUARANTEES.md', import.meta.url), 'utf8')
  const explained = numbersIn(guarantees, /^- \*\*Hole (\d+)\*\*/gm)
  const all = Array.from({ length: HOLES }, (_, i) => i + 1)
  expect([...new Set([...tested, ...explained])].toSorted((a, b) => a - b)).toEqual(all)
  expect(explained.filter((number) => tested.includes(number))).toEqual([])
})

function entry(index: number, term: number) {
  return { index, term, type: 'command' as const, data: new Uint8Array() }
}
