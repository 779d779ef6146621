/** What `promote`, `demote`, `remove` and `replace` have in common: ask, and show the members after the change. */
import type { Command } from 'commander'
import type { ControlClient } from '../../admin/index.ts'
import type { MemberInfo } from '../../node/types.ts'
import type { Io } from '../io.ts'
import { memberLines } from '../view/status-view.ts'
import { peerArgument, PEER_TEXTS } from './members-of.ts'
import { ask, type AskOptions, askOptions, example, type Limits, show } from './shared.ts'

export const PEER_HELP = `${PEER_TEXTS}; <peerId>#<storeId> where a PeerId is a member with two disks`

export const REFUSED_NOTE = `
It is refused, with the arithmetic, when the voters after the change could not decide: fewer of them reachable than a majority.
There is no way to force it. What is so already is done, not refused.`

export interface MemberChangeWords {
  /** For messages: "the promotion of". */
  readonly what: string
  /** Key of the JSON answer, and what people read: "promoted". */
  readonly done: 'promoted' | 'demoted' | 'removed'
  readonly change: 'promote' | 'demote' | 'remove'
  readonly note: string
}

export function defineMemberChange(command: Command, io: Io, words: MemberChangeWords): void {
  askOptions(command)
    .argument('<peer>', PEER_HELP)
    .addHelpText('after', `\n${words.note}${REFUSED_NOTE}\n${example(`quorate ${words.change} --data node PEER`)}`)
    .action(async (text: string, options: AskOptions) => {
      const peer = await peerArgument(io, options, text)
      await changeMembers(
        io,
        options,
        `${words.what} ${peer}`,
        { [words.done]: peer },
        `${words.done} ${peer}`,
        (client, limits) => client.changeMember(words.change, peer, limits)
      )
    })
}

/** `answer` is what the JSON says beside the members, `line` what people read above them. */
export async function changeMembers(
  io: Io,
  options: AskOptions,
  what: string,
  answer: Readonly<Record<string, string>>,
  line: string,
  change: (client: ControlClient, limits: Limits) => Promise<readonly MemberInfo[]>
): Promise<void> {
  const members = await ask(io, options, what, change)
  show(io, options.json, { ...answer, members }, (style) => [line, ...memberLines(members, style)])
}
