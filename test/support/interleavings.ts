type Turn = () => void

/** What somebody does, who asks for a turn before each step that others may see. */
export type Walker = (turn: () => Promise<void>) => Promise<void>

/**
 * Runs two walkers in every order that their steps can have, each order on a pair of its own, and hands it to `check` when both
 * have ended. Returns how many orders there were.
 */
export const inEveryOrder = async <W>(
  pair: () => Promise<{ readonly world: W; readonly walkers: readonly [Walker, Walker] }>,
  check: (world: W) => Promise<void>,
): Promise<number> => {
  let order: number[] | undefined = []
  let orders = 0
  while (order) {
    const { world, walkers } = await pair()
    const taken = await run(walkers, order)
    await check(world)
    orders++
    order = following(taken)
  }
  return orders
}

/** Who had each turn, and whether the other one wanted it too. */
type Taken = readonly { readonly who: number; readonly contested: boolean }[]

const run = async (walkers: readonly [Walker, Walker], order: readonly number[]): Promise<Taken> => {
  const waiting: (Turn | undefined)[] = [undefined, undefined]
  let moved: () => void = () => undefined
  const stopped = (who: number) =>
    new Promise<void>((resolve) => {
      moved = resolve
      waiting[who]?.()
      waiting[who] = undefined
    })
  const start = (who: number, walker: Walker) =>
    new Promise<void>((resolve) => {
      moved = resolve
      const turn = () =>
        new Promise<void>((go) => {
          waiting[who] = go
          moved()
        })
      void walker(turn).then(() => {
        moved()
      })
    })
  for (const [who, walker] of walkers.entries()) await start(who, walker)
  const taken: { who: number; contested: boolean }[] = []
  while (waiting.some((one) => one)) {
    const contested = waiting.every((one) => one)
    const who = contested ? (order[taken.length] ?? 0) : waiting.findIndex((one) => one)
    taken.push({ who, contested })
    await stopped(who)
  }
  return taken
}

/** The next order in which the last contested turn of the first one goes to the second. */
const following = (taken: Taken): number[] | undefined => {
  const last = taken.findLastIndex(({ who, contested }) => contested && who === 0)
  return last < 0 ? undefined : [...taken.slice(0, last).map(({ who }) => who), 1]
}
