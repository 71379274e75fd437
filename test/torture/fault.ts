import type { Outcome } from './judge.ts'
import type { World } from './world.ts'

/** A way in which the world treats a gateway ill. */
export type Fault = {
  readonly name: string
  /** What is done to it, for the table. */
  readonly how: string
  /** What may become of it; anything else is a defect. */
  readonly outcomes: readonly Outcome[]
  /** It takes minutes: a run inflicts it once, however often the others. */
  readonly isLong?: boolean
  /** Programs without which it cannot be inflicted. */
  readonly needs: readonly string[]
  /**
   * Inflicts it on a world that no gateway runs in yet, under load. When it resolves, the fault is over and its mounts are
   * undone; the gateway runs, or has ended, or will. Gives the world to be judged, if it is another one.
   */
  inflict(world: World): Promise<Inflicted>
}

/** Further worlds to be judged, each of which ended at its moment; of a gateway that runs, nothing. */
export type Inflicted = readonly { readonly world: World; readonly at: number }[]

export const nothingMore: Inflicted = []
