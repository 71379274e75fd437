import type { AnyStateMachine, AnyStateNode } from 'xstate'
import { pop3Proxy } from '../../actors/pop3Proxy.ts'
import { pop3Session } from '../../actors/pop3Session.ts'
import { smtpProxy } from '../../actors/smtpProxy.ts'
import { smtpSession } from '../../actors/smtpSession.ts'
import { submissionSession } from '../../actors/submissionSession.ts'

const leavesOf = (node: AnyStateNode): readonly string[] => {
  const below = Object.values(node.states)
  return below.length === 0 ? (isPassed(node) ? [] : [node.path.join('.')]) : below.flatMap(leavesOf)
}

/** Whether it is left as soon as it is entered. */
const isPassed = ({ always = [] }: AnyStateNode) => always.some(({ guard }) => guard === undefined)

/** Every state in which a machine can stand, as its transcripts name it, behind the machine's own name. */
const statesOf = (machine: AnyStateMachine) => leavesOf(machine.root).map((state) => `${machine.id} ${state}`)

export const machinesKnown = { smtpSession, pop3Session, pop3Proxy, smtpProxy, submissionSession } as const
export type MachineName = keyof typeof machinesKnown

/** Those of some machines; what a transcript says of them besides is a defect. */
export const statesKnown = (...names: readonly MachineName[]): ReadonlySet<string> =>
  new Set(names.flatMap((name) => statesOf(machinesKnown[name])))
