/** For how long a peer is waited for. What it does not bring to an end within its time does not prolong it. */
export type Patience = {
  /** The peer has done its part, or it is its turn only now: the time begins anew, the usual one or so many seconds. */
  renew(seconds?: number): void
  /** Nobody is waited for any more, whatever is renewed afterwards: a timer would hold the connection. */
  end(): void
}

export type PatienceParts = {
  readonly seconds: number
  /** Octets a second of content, on the average of that time, for which more of it is given; 0: any will do. */
  readonly rate: number
  /** Octets of content so far: of a message that the peer sends, or takes. */
  readonly content: () => number
  /** Whether it is us that the peer waits for. */
  readonly isOurs: () => boolean
  /** Seconds in all for which the peer was not read because we were at work; they are not its own. */
  readonly held?: () => number
  readonly onLost: () => void
}

export const startPatience = ({
  seconds: usual,
  rate,
  content,
  isOurs,
  held = () => 0,
  onLost,
}: PatienceParts): Patience => {
  let seconds = usual
  let [before, heldBefore] = [content(), held()]
  let over = false
  const look = () => {
    const moved = content() - before
    const own = seconds - Math.max(0, held() - heldBefore)
    if (isOurs() || own < seconds / 2 || (moved > 0 && moved >= rate * own)) renew(seconds)
    else onLost()
  }
  const start = () => setTimeout(look, seconds * 1000).unref()
  let timer = start()
  const renew = (wanted = usual) => {
    if (over) return
    before = content()
    heldBefore = held()
    if (wanted === seconds) {
      timer.refresh()
      return
    }
    clearTimeout(timer)
    seconds = wanted
    timer = start()
  }
  const end = () => {
    over = true
    clearTimeout(timer)
  }
  return { renew, end }
}
